import { describe, expect, test } from "vitest";
import type { ImageFeatures, Prompt } from "../../core/records.ts";
import type { LanguageStack } from "../../models/model.ts";
import { ropePositions } from "../../models/qwen_vl/positions.ts";
import type { TrainingGroup } from "../engine.ts";
import { layOut, packRows, placeImages, splitRows } from "./packing.ts";

const IMAGE = 9;

/** The properties of a language model that packing uses. */
const language = {
  featureLevels: 1,
  positionAxes: 3,
  positions: (tokenIds: Int32Array, grids: readonly (readonly [number, number, number])[]) =>
    ropePositions(tokenIds, grids, { imageTokenId: IMAGE, mergeSize: 2 }),
} as unknown as LanguageStack;

const image = (sha256: string, grid: readonly [number, number, number]): ImageFeatures => {
  return { sha256, grid, patches: new Float32Array(0), width: 0, height: 0 };
};
const prompt = (tokenIds: readonly number[], images: readonly ImageFeatures[] = []): Prompt => {
  return { text: "", tokenIds: Int32Array.from(tokenIds), images };
};
const group = (of: Prompt, ...completions: readonly (readonly number[])[]): TrainingGroup => ({
  prompt: of,
  completions: completions.map((ids) => ({ tokenIds: Int32Array.from(ids), weight: 1, advantage: 0 })),
});
const indices = (rows: ReturnType<typeof packRows>) => rows.map(({ completions }) => completions.map((c) => c.index));

describe("packRows", () => {
  const groups = [group(prompt([1, 2, 3]), [4, 5, 6], [7], [8, 8]), group(prompt([1]), [2, 2, 2, 2, 2, 2])];

  test("a whole group fits a row; a completion's last token is left out", () => {
    const rows = packRows(groups, 100);
    expect(indices(rows)).toEqual([[0, 1, 2], [3]]);
    expect(rows.map(({ length }) => length)).toEqual([3 + 2 + 0 + 1, 1 + 5]);
  });

  test("a row never exceeds the budget, unless a single completion does", () => {
    expect(indices(packRows(groups, 5))).toEqual([[3], [0, 1], [2]]);
    expect(indices(packRows(groups, 1))).toEqual([[3], [0], [2], [1]]);
  });

  test("groups without completions, and no groups, yield no rows", () => {
    expect(packRows([group(prompt([1]))], 10)).toEqual([]);
    expect(packRows([], 10)).toEqual([]);
  });
});

test("splitRows: the rows' tokens stay within the budget, rows stay in order", () => {
  const rows = packRows(
    [5, 4, 4, 2, 1].map((length) => group(prompt(new Array(length).fill(1)), [2])),
    100,
  );
  expect(splitRows(rows, 10).map((batch) => batch.map(({ length }) => length))).toEqual([
    [5, 4],
    [4, 2, 1],
  ]);
  expect(splitRows(rows, 1).map((batch) => batch.length)).toEqual([1, 1, 1, 1, 1]);
  expect(splitRows(rows, 16).map((batch) => batch.length)).toEqual([5]);
});

describe("layOut", () => {
  const [a, b] = [image("a", [1, 2, 4]), image("b", [1, 2, 2])];
  // Prompt of five tokens with an image of two; completions of three, one and no tokens.
  const rows = packRows(
    [group(prompt([1, IMAGE, IMAGE, 2, 3], [a]), [4, 5, 6], [7], []), group(prompt([IMAGE, 1], [b]), [8, 8])],
    100,
  );
  const micro = layOut(rows, language, IMAGE, 4);

  test("concatenates the rows' tokens without padding", () => {
    expect([...micro.tokenIds]).toEqual([1, IMAGE, IMAGE, 2, 3, 4, 5, IMAGE, 1, 8]);
  });

  test("a completion's first token is predicted by the prompt's last, the others by their predecessors", () => {
    const found = micro.predictions.map(({ source, completion, offset }) => [source, completion.index, offset]);
    expect(found).toEqual([
      [4, 0, 0],
      [5, 0, 1],
      [6, 0, 2],
      [4, 1, 0],
      [8, 3, 0],
      [9, 3, 1],
    ]);
  });

  test("positions of every completion continue from the prompt", () => {
    const packed = packRows([group(prompt([1, IMAGE, IMAGE, 2], [a]), [4, 5, 6], [7, 8])], 100);
    const { positions } = layOut(packed, language, IMAGE, 4);
    // The image is one high and two wide, so text continues at 3.
    expect([...positions.subarray(0, 7)]).toEqual([0, 1, 1, 3, 4, 5, 4]);
    expect([...positions.subarray(14, 21)]).toEqual([0, 1, 2, 3, 4, 5, 4]);
  });

  test("every token has one place, in its prompt's grid or its completion's", () => {
    const { grids } = micro;
    expect([grids.rows, grids.prompt, grids.group, grids.completion]).toEqual([2, 5, 3, 2]);
    expect([...grids.promptTokens]).toEqual([0, 1, 2, 3, 4, 7, 8, -1, -1, -1]);
    expect([...grids.completionTokens]).toEqual([5, 6, -1, -1, -1, -1, 9, -1, -1, -1, -1, -1]);
    expect([...grids.placeOf]).toEqual([0, 1, 2, 3, 4, 10, 11, 5, 6, 16]);
    expect([...grids.promptBias].map((value) => value === 0)).toEqual([
      ...[true, true, true, true, true],
      ...[true, true, false, false, false],
    ]);
  });

  test("image tokens point at their features, in order", () => {
    expect([...micro.imageIndex]).toEqual([-1, 0, 1, -1, -1, -1, -1, 2, -1, -1]);
    expect(micro.images).toEqual([a, b]);
  });
});

describe("placeImages", () => {
  const [a, b] = [image("a", [1, 2, 4]), image("b", [1, 2, 2])];

  test("a token with several levels of features points at its first", () => {
    const { imageIndex } = placeImages([{ ...prompt([IMAGE, 1, IMAGE, IMAGE], [b, a]), at: 0 }], 4, IMAGE, 4, 3);
    expect([...imageIndex]).toEqual([0, -1, 3, 6]);
  });

  test("a repeated image points at the features it already has", () => {
    const first = { ...prompt([IMAGE, 1, IMAGE, IMAGE], [b, a]), at: 0 };
    const parts = [first, { ...prompt([IMAGE, IMAGE, IMAGE, 1], [a, b]), at: 4 }];
    const { imageIndex, images } = placeImages(parts, 8, IMAGE, 4, 1);
    expect(images).toEqual([b, a]);
    expect([...imageIndex]).toEqual([0, -1, 1, 2, 1, 2, 0, -1]);
  });

  test("a mismatch of image tokens and features is an internal error", () => {
    expect(() => placeImages([{ ...prompt([IMAGE, 1], [a]), at: 0 }], 2, IMAGE, 4, 1)).toThrow(
      "internal: the text has 1 image tokens, its images give 2 features",
    );
  });
});

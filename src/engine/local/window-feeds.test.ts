import { expect, test } from "vitest";
import { interpret } from "../../compiler/interpret.ts";
import { constant } from "../../compiler/tensor.ts";
import { normal, randomKey } from "../../core/random.ts";
import { float32 } from "../../core/tensor-data.ts";
import { attention, windowAttention } from "../../nn/layers.ts";
import { EXCLUDED } from "../../nn/sampling.ts";
import { windowFeeds } from "./window-feeds.ts";

// Two images of six patches: windows of unequal size, with patches not adjacent.
const windowOf = [Int32Array.of(0, 1, 0, 0, 2, 1), Int32Array.of(1, 0, 1, 1, 1, 0)];

test("every patch has one place, and windows of the second image follow those of the first", () => {
  const { windowIndex, windowPlace } = windowFeeds(windowOf);
  expect(windowIndex!.shape).toEqual([5 * 4]);
  expect([...windowPlace!.data].map((place) => Math.floor(place / 4))).toEqual([0, 1, 0, 0, 2, 1, 4, 3, 4, 4, 4, 3]);
  expect(new Set(windowPlace!.data).size).toBe(12);
  expect([...windowPlace!.data].map((place) => windowIndex!.data[place])).toEqual([...Array(12).keys()]);
});

test("attention over the tables equals attention masked by window", () => {
  const [rows, tokens, heads, headDim] = [2, 6, 2, 2];
  const random = (name: string) => {
    const data = Array.from({ length: rows * tokens * heads * headDim }, (_, i) => normal(randomKey(3, name), i));
    return constant(float32([rows, tokens, heads, headDim], data));
  };
  const tensors = [random("q"), random("k"), random("v")] as const;
  const mask = windowOf.flatMap((own) => [...own].flatMap((a) => [...own].map((b) => (a === b ? 0 : EXCLUDED))));
  const { windowIndex, windowBias, windowPlace } = windowFeeds(windowOf);
  const outputs = {
    windows: windowAttention(...tensors, {
      index: constant(windowIndex!),
      bias: constant(windowBias!),
      place: constant(windowPlace!),
    }),
    masked: attention(...tensors, constant(float32([rows, tokens, tokens], mask))),
    whole: attention(...tensors, null),
  };
  const found = interpret({ inputs: {}, outputs }, {}, { precision: "float64" });
  const values = (name: keyof typeof outputs) => [...found[name]!.data];
  expect(values("windows")).toEqual(values("masked").map((value) => expect.closeTo(value, 9)));
  expect(values("whole")).not.toEqual(values("masked").map((value) => expect.closeTo(value, 2)));
});

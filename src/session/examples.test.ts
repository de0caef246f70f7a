import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, it } from "vitest";
import { recipeSchema } from "../recipes/schema.ts";
import { checkBaselines } from "./checks.ts";
import { loadEvaluation, loadExamples } from "./examples.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-examples-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("data.image_disjoint parts what training and evaluation share", async () => {
  mkdirSync(join(folder, "images"));
  for (let i = 0; i < 8; i++) {
    const pixels = Uint8Array.from({ length: 1024 }, (_, at) => ((at * (i + 3) * 7919) >> (i % 5)) & 255);
    await sharp(pixels, { raw: { width: 32, height: 32, channels: 1 } }).toFile(join(folder, "images", `${i}.png`));
  }
  // Every test image is also a training image.
  const rows = (split: string, images: readonly number[]) =>
    images.map((i) => JSON.stringify({ id: `${split}-${i}`, image: `images/${i}.png`, question: "?", answer: "yes" }));
  writeFileSync(join(folder, "train.jsonl"), rows("train", [0, 1, 2, 3, 4, 5, 6, 7]).join("\n"));
  writeFileSync(join(folder, "test.jsonl"), rows("test", [4, 5, 6, 7]).join("\n"));
  const shared = async (image_disjoint: boolean) => {
    const data = { train: { name: "jsonl", path: folder }, eval: { name: "jsonl", path: folder }, image_disjoint };
    const stages = [{ kind: "sft", steps: 1 }];
    const recipe = recipeSchema.parse({ name: "disjoint", model: { path: "m" }, data, stages });
    const { examples: train } = await loadExamples(recipe.data.train, recipe);
    const { examples: evaluation } = await loadEvaluation(recipe);
    expect(train.length + evaluation!.length).toBe(12);
    const paths = new Set(train.flatMap(({ images }) => images.map(({ path }) => path)));
    return evaluation!.filter(({ images }) => images.some(({ path }) => paths.has(path))).length;
  };
  expect(await shared(false)).toBe(4);
  expect(await shared(true)).toBe(0);
});

it("takes the questions of some strata alone, of which limit then takes some", async () => {
  const at = join(folder, "strata");
  mkdirSync(at);
  await sharp(new Uint8Array(16), { raw: { width: 4, height: 4, channels: 1 } }).toFile(join(at, "a.png"));
  const kinds = ["CT", "MR", "CT", "US", "MR", "CT"];
  const rows = kinds.map((modality, i) => {
    const meta = { modality, site: i < 4 ? "north" : "south", year: String(2020 + (i % 2)) };
    return { id: `q${i}`, image: i === 1 ? "lost.png" : "a.png", question: `${i}?`, answer: "yes", meta };
  });
  writeFileSync(join(at, "train.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const load = async (train: object) => {
    const data = { train: { name: "jsonl", path: at, ...train }, on_bad_image: "skip" };
    const stages = [{ kind: "sft", steps: 1 }];
    const recipe = recipeSchema.parse({ name: "where", model: { path: "m" }, data, stages });
    const { examples, skipped } = await loadExamples(recipe.data.train, recipe);
    return [examples.map(({ id }) => id).join(" "), skipped.length] as const;
  };
  expect(await load({})).toEqual(["q0 q2 q3 q4 q5", 1]);
  expect(await load({ where: { modality: "CT" } })).toEqual(["q0 q2 q5", 0]);
  expect(await load({ where: { modality: ["CT", "MR"], site: "north" } })).toEqual(["q0 q2", 1]);
  expect(await load({ where: { modality: "CT", year: 2020 } })).toEqual(["q0 q2", 0]);
  expect((await load({ where: { modality: "CT" }, limit: 2 }))[0].split(" ")).toHaveLength(2);
  const wrong = [
    [{ modalty: "CT" }, 'where: no question has "modalty" (did you mean "modality"?); there are '],
    [{ modality: "CTs" }, 'where: no question has "CTs" as modality (did you mean "CT"?); there are CT, MR, US'],
    [{ modality: "US", site: "south" }, "where: no question is of modality US and site south at once"],
  ] as const;
  for (const [where, sentence] of wrong) await expect(load({ where })).rejects.toThrow(sentence);
  await expect(load({ where: { modality: [] } })).rejects.toThrow("a value, or a list of values");
});

it("baselines of other images need a question with an image", () => {
  const data = { train: { name: "phantom" }, eval: { name: "phantom" } };
  const evaluate = { baselines: ["blank_image"] };
  const recipe = recipeSchema.parse({
    name: "b",
    model: { path: "m" },
    data,
    stages: [{ kind: "sft", steps: 1 }],
    evaluate,
  });
  const text = {
    id: "q",
    subjectId: "s",
    question: "?",
    images: [],
    answer: "a",
    answerType: "open",
    choices: [],
    meta: {},
  };
  expect(() => checkBaselines(recipe, [text as never])).toThrow(
    "evaluate.baselines: blank_image: no question of data.eval has an image",
  );
  checkBaselines(recipe, [text as never, { ...text, images: [{ path: "a.png" }] } as never]);
  checkBaselines({ ...recipe, evaluate: { ...recipe.evaluate!, baselines: [] } }, [text as never]);
});

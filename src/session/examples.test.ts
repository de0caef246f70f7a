import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, it } from "vitest";
import { recipeSchema } from "../recipes/schema.ts";
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

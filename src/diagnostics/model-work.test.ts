/** The work of a small model, counted by hand. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Prompt } from "../core/records.ts";
import { modelOf } from "../engine/local/local-model.ts";
import { openModel } from "../models/index.ts";
import { decodingWork, trainingOperations } from "./model-work.ts";

const modelFolder = fileURLToPath(new URL("../../assets/viva-tiny", import.meta.url));
const model = openModel(modelFolder);
const { language, vision } = model;
const prompt = (tokens: number) => {
  return { text: "", tokenIds: new Int32Array(tokens), images: [{ grid: [1, 4, 4] }] } as unknown as Prompt;
};
const sizes = { numGenerations: 3, maxCompletionLength: 5 };

/** Elements of all matrices of the language model's blocks, and of its head. */
const blocks = Object.entries(model.weights)
  .filter(([name, { shape }]) => name.startsWith("model.layers.") && shape.length === 2)
  .reduce((total, [, { shape }]) => total + shape[0]! * shape[1]!, 0);
const head = language.vocabularySize * language.width;
const vectors = Object.entries(model.weights)
  .filter(([name, { shape }]) => (name.startsWith("model.layers.") || name === "model.norm.weight") && shape.length < 2)
  .reduce((total, [, { shape }]) => total + shape[0]!, 0);

test("decoding reads the weights once per step for all rows, and the growing KV caches", () => {
  const { operations, bytes } = decodingWork(model, [prompt(10), prompt(20)], sizes);
  // Six rows, four tokens each after the first; own tokens in the cache before them: 0, 1, 2, 3.
  const seen = 4 * 3 * (10 + 20) + 6 * (1 + 2 + 3 + 4);
  expect(operations).toBe(2 * (blocks + head) * 6 * 4 + 4 * language.depth * language.heads * language.headDim * seen);
  const position = 2 * 4 * language.depth * language.keyValueHeads * language.headDim;
  expect(bytes).toBe(4 * (blocks + head + vectors) * 4 + position * (4 * 30 + 6 * (0 + 1 + 2 + 3)));
});

test("single-token completions come from prefill and leave nothing to decode", () => {
  const { operations, bytes } = decodingWork(model, [prompt(10)], { ...sizes, maxCompletionLength: 1 });
  expect([operations, bytes]).toEqual([0, 0]);
});

test("a quantised base needs a fraction of the bytes and the same operations", () => {
  const options = { modelFolder, initialise: "random", seed: 1, freeze: [], threads: 1 } as const;
  const quantised = modelOf({ ...options, microBatchTokens: 1, rows: 1, quantizeFrozen: 8 });
  const [whole, small] = [model, quantised].map((each) => decodingWork(each, [prompt(10)], sizes));
  expect(small!.operations).toBe(whole!.operations);
  expect(small!.bytes).toBeLessThan(0.6 * whole!.bytes);
});

test("training takes three matmuls per trained weight, two per frozen one", () => {
  const prompts = [prompt(10)];
  const all = trainingOperations(model, new Set(Object.keys(model.weights)), prompts, sizes);
  const tower = Object.entries(model.weights)
    .filter(([name, { shape }]) => name.startsWith("visual.blocks.") && shape.length === 2)
    .reduce((total, [, { shape }]) => total + shape[0]! * shape[1]!, 0);
  expect(vision.depth).toBeGreaterThan(0);
  expect(all).toBe(6 * (blocks * 25 + head * 15 + tower * 16));
  expect(trainingOperations(model, new Set(), prompts, sizes)).toBe(4 * (blocks * 25 + head * 15));
});

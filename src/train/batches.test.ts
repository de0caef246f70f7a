import { describe, expect, test } from "vitest";
import { UserError } from "../core/errors.ts";
import type { Example, Prompt } from "../core/records.ts";
import { batchAt, encodeExamples, type SkippedExample } from "./batches.ts";

const examples = Array.from({ length: 7 }, (_, i): Example => {
  const id = `e${i}`;
  return { id, subjectId: id, question: id, images: [], answer: "", answerType: "open", choices: [], meta: {} };
});
const ids = (step: number, count = 3, change: { seed?: number; stage?: number } = {}) =>
  batchAt(examples, { seed: 1, stage: 0, step, count, ...change }).map(({ id }) => id);

describe("batchAt", () => {
  test("every epoch sees every example once, in an order of its own", () => {
    const seen = Array.from({ length: 7 }, (_, step) => ids(step)).flat();
    const epochs = [seen.slice(0, 7), seen.slice(7, 14), seen.slice(14, 21)];
    for (const epoch of epochs) expect([...epoch].sort()).toEqual(examples.map(({ id }) => id));
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  test("a batch is a function of seed, stage and step alone, whatever came before", () => {
    expect(ids(5)).toEqual(ids(5));
    expect(ids(5, 3, { seed: 2 })).not.toEqual(ids(5));
    expect(ids(5, 3, { stage: 1 })).not.toEqual(ids(5));
    // Two steps of three are one step of six.
    expect([...ids(2), ...ids(3)]).toEqual(ids(1, 6));
  });

  test("a batch may be larger than the data", () => {
    const batch = ids(0, 16);
    expect(batch.length).toBe(16);
    expect(new Set(batch.slice(0, 7)).size).toBe(7);
    expect(new Set(batch.slice(7, 14)).size).toBe(7);
  });
});

describe("encodeExamples", () => {
  const prompt: Prompt = { text: "", tokenIds: Int32Array.of(1), images: [] };
  const encode = async ({ id }: Example) => {
    if (id === "e1") throw new UserError("image e1.png cannot be read");
    return prompt;
  };
  const chosen = examples.slice(0, 3);

  test("skip leaves an example out and tells", async () => {
    const skipped: SkippedExample[] = [];
    const encoded = await encodeExamples(chosen, encode, "skip", (item) => skipped.push(item));
    expect(encoded.map(({ example }) => example.id)).toEqual(["e0", "e2"]);
    expect(skipped).toEqual([{ example_id: "e1", reason: "image e1.png cannot be read" }]);
  });

  test("error stops with the example's id", async () => {
    await expect(encodeExamples(chosen, encode, "error", () => {})).rejects.toThrow(
      new UserError('example "e1": image e1.png cannot be read'),
    );
  });

  test("our own bugs are never skipped", async () => {
    const broken = async () => Promise.reject(new Error("internal: boom"));
    await expect(encodeExamples(chosen, broken, "skip", () => {})).rejects.toThrow("internal: boom");
  });
});

import { expect, test } from "vitest";
import { rolloutAlgorithms } from "../algorithms/index.ts";
import { parseRecipe } from "./load.ts";
import { needsOf, stepsOf } from "./stage-kinds.ts";

const stageOf = (stage: object) =>
  parseRecipe({ name: "x", model: { path: "m" }, data: { train: { name: "phantom" } }, stages: [stage] }).stages[0]!;
const rollouts = { num_generations: 4, max_completion_length: 9, rewards: { accuracy: 1 } };

test.each(Object.keys(rolloutAlgorithms))("%s keeps a reference only for a KL term, and counts its updates", (kind) => {
  const stage = { kind, steps: 7, rewards: { accuracy: 1 } };
  expect(needsOf(stageOf(stage))).toMatchObject({ reference: false, updates: 1 });
  const more = stageOf({ ...stage, beta: 0.01, num_iterations: 3, steps_per_generation: 4 });
  expect(needsOf(more)).toMatchObject({ reference: true, updates: 12, generation: { max_completion_length: 256 } });
  expect(stepsOf(more, { examples: 100, pairs: 0, images: 0 })).toBe(7);
});

test("sft and dpo count epochs over their data; dpo always keeps a reference", () => {
  const sft = stageOf({ kind: "sft", epochs: 1.5, batch_size: 8 });
  const given = stageOf({ kind: "dpo", epochs: 2, batch_size: 4, pairs: "pairs.jsonl" });
  const own = stageOf({ kind: "dpo", epochs: 2, batch_size: 4, rollouts });
  const count = { examples: 100, pairs: 10, images: 0 };
  expect([sft, given, own].map((stage) => stepsOf(stage, count))).toEqual([19, 5, 50]);
  expect([sft, given, own].map((stage) => needsOf(stage).reference)).toEqual([false, true, true]);
  expect([sft, given].map((stage) => needsOf(stage).generation)).toEqual([null, null]);
  expect(needsOf(own).generation).toMatchObject({ max_completion_length: 9, rewards: { accuracy: { weight: 1 } } });
});

import { describe, expect, it } from "vitest";
import { extensionOf } from "./extension.ts";
import { parseRecipe } from "./load.ts";

const recipe = (changes: object = {}, last: object = {}) =>
  parseRecipe({
    ...{ name: "a", model: { path: "m" }, data: { train: { name: "phantom" } }, evaluate: null },
    stages: [
      { kind: "sft", steps: 4, batch_size: 2 },
      { kind: "grpo", steps: 5, rewards: { accuracy: 1 }, lr_scheduler_type: "constant", ...last },
    ],
    ...changes,
  });

describe("extensionOf", () => {
  it("finds more steps of the last stage, or none", () => {
    expect(extensionOf(recipe(), recipe())).toBeNull();
    expect(extensionOf(recipe(), recipe({}, { steps: 9 }))).toEqual({ key: "stages.1.steps", from: 5, to: 9 });
    const warm = { lr_scheduler_type: "constant_with_warmup", warmup_steps: 3 };
    expect(extensionOf(recipe({}, warm), recipe({}, { ...warm, steps: 6 }))).toMatchObject({ to: 6 });
  });

  it.each([
    ["fewer steps", {}, { steps: 3 }, /^stages.1.steps: .* can only have more of it than the 5/],
    ["another key", { seed: 7 }, {}, /^seed: a run keeps its recipe/],
    ["more steps and another key", {}, { steps: 9, learning_rate: 1 }, /^stages.1.learning_rate: a run keeps/],
    ["an earlier stage", { stages: [{ kind: "sft", steps: 9, batch_size: 2 }] }, {}, /^stages.0.steps: a run keeps/],
  ])("names the key of %s", (_, changes, last, message) => {
    expect(() => extensionOf(recipe(), recipe(changes, last))).toThrow(message);
  });

  it("names a schedule that would have been another", () => {
    const of = (steps: number) => recipe({}, { lr_scheduler_type: "cosine", steps });
    expect(() => extensionOf(of(5), of(9))).toThrow(/^stages.1.steps: lr_scheduler_type cosine spreads over the whole/);
  });
});

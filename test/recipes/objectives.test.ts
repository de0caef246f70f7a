/** studies/objectives.yaml: each arm differs from its control in what it says, and every stage is one that can run. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadStudy } from "../../src/study/load.ts";

const study = loadStudy(join(import.meta.dirname, "../../studies/objectives.yaml"), { quick: false });
const arm = (name: string) => {
  const found = study.arms.find((one) => one.name === name)!;
  return found.recipe.stages[0] as unknown as Readonly<Record<string, unknown>>;
};

/** Keys of the stage in which two arms differ. */
function differences(name: string, other: string): readonly string[] {
  const [own, theirs] = [arm(name), arm(other)];
  return Object.keys(own).filter((key) => JSON.stringify(own[key]) !== JSON.stringify(theirs[key]));
}

it.each([
  ["process", "grpo", ["shaping"]],
  ["process_scalar", "process", ["process"]],
  ["process_shuffled", "process", ["rewards"]],
  ["ucas", "grpo", ["shaping"]],
  ["ucas_sum", "ucas", ["certainty"]],
  ["uadt", "grpo", ["shaping"]],
  ["crpo", "grpo", ["rewards"]],
  ["crpo_decoupled", "crpo", ["advantage", "rewards", "scale_rewards"]],
  ["guideline", "grpo", ["num_generations", "paradigms", "rewards", "shaping"]],
  ["guideline_outcome", "guideline", ["guideline_gamma"]],
])("%s differs from %s in %j", (name, other, keys) => {
  expect([...differences(name, other)].sort()).toEqual([...keys].sort());
});

it("samples as many completions of a question in four ways as in one", () => {
  const { num_generations: each, paradigms } = arm("guideline");
  expect((each as number) * Object.keys(paradigms as object).length).toBe(arm("grpo")["num_generations"]);
});

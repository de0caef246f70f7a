/** studies/fewer-completions.yaml differs in what is trained on, and in nothing else. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadStudy } from "../../src/study/load.ts";

const study = loadStudy(join(import.meta.dirname, "../../studies/fewer-completions.yaml"), { quick: false });

it("changes each arm in how many completions are sampled or trained on", () => {
  const stages = study.arms.map(({ name, recipe }) => {
    const { num_generations, train_completions, train_selection, ...rest } = recipe.stages[0] as Record<
      string,
      unknown
    >;
    return { name, own: [num_generations, train_completions, train_selection], rest };
  });
  expect(Object.fromEntries(stages.map(({ name, own }) => [name, own]))).toEqual({
    grpo: [16, null, "max_variance"],
    pods: [16, 4, "max_variance"],
    cppo: [16, 4, "max_advantage"],
    grpo_4: [4, null, "max_variance"],
  });
  for (const { rest } of stages) expect(rest).toEqual(stages[0]!.rest);
});

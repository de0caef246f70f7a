/** Correctness-weighted chain reward: `ecr` for a right answer, 0 for a wrong one. */
import { correctness, correctnessOptions } from "./correct.ts";
import { chainReward, ecr } from "./ecr.ts";
import { defineReward, lengthLimit } from "./options.ts";
import type { Reward } from "./reward.ts";

const cwrOptions = ecr.options.extend(correctnessOptions);

/** In [0, α·cap]. */
export const cwr = defineReward("cwr", cwrOptions, ({ alpha, cap: given, ...judging }, context): Reward => {
  const cap = lengthLimit("cwr", "cap", given, context);
  const isRight = correctness(judging, context);
  return {
    name: "cwr",
    measuresLength: true,
    range: [0, alpha * cap],
    score: (example, completions) =>
      completions.map((completion) => (isRight(example, completion.text) ? chainReward(completion, alpha, cap) : 0)),
  };
});

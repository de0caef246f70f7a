/** Correctness-weighted chain reward: `ecr` for a right answer, 0 for a wrong one. */
import type { z } from "zod";
import { correctness, correctnessOptions } from "./correct.ts";
import { chainReward, ecrOptions } from "./ecr.ts";
import { lengthLimit, readOptions } from "./options.ts";
import type { Reward, RewardContext } from "./reward.ts";

export const cwrOptions = ecrOptions.extend(correctnessOptions);

/** In [0, α·cap]. */
export function cwr(options: z.input<typeof cwrOptions> = {}, context: RewardContext = {}): Reward {
  const { alpha, cap: given, ...judging } = readOptions("cwr", cwrOptions, options);
  const cap = lengthLimit("cwr", "cap", given, context);
  const isRight = correctness(judging, context);
  return {
    name: "cwr",
    measuresLength: true,
    range: [0, alpha * cap],
    score: (example, completions) =>
      completions.map((completion) => (isRight(example, completion.text) ? chainReward(completion, alpha, cap) : 0)),
  };
}

/** Extended chain reward: α for each token up to a cap. Source: VisualThinker-R1-Zero's length reward; α and cap are ours. */
import { z } from "zod";
import type { Completion } from "../core/records.ts";
import { defineReward, lengthLimit } from "./options.ts";
import type { Reward } from "./reward.ts";

const ecrOptions = z.object({
  /** Per token. */
  alpha: z.number().positive().default(0.001),
  /** Tokens beyond it earn nothing; the stage's max_completion_length unless given. */
  cap: z.int().positive().optional(),
});

/** α·min(L, cap), L in tokens; in [0, α·cap]. */
export const ecr = defineReward("ecr", ecrOptions, ({ alpha, ...given }, context): Reward => {
  const cap = lengthLimit("ecr", "cap", given.cap, context);
  return {
    name: "ecr",
    measuresLength: true,
    range: [0, alpha * cap],
    score: (_, completions) => completions.map((completion) => chainReward(completion, alpha, cap)),
  };
});

/** What a chain earns by its length alone. */
export function chainReward({ tokenIds }: Completion, alpha: number, cap: number): number {
  return alpha * Math.min(tokenIds.length, cap);
}

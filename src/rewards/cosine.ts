/** Cosine-scaled length reward (arXiv 2502.03373): right answers earn more when short, wrong ones lose less when long. */
import { z } from "zod";
import { correctness, correctnessOptions } from "./correct.ts";
import { defineReward, lengthLimit } from "./options.ts";
import type { Reward } from "./reward.ts";

const cosineOptions = z.object({
  /** A right answer of full length, and one of no length. */
  min_value_correct: z.number().default(0.5),
  max_value_correct: z.number().default(1),
  /** A wrong answer of no length, and one of full length. */
  min_value_wrong: z.number().default(-1),
  max_value_wrong: z.number().default(-0.5),
  /** Tokens; longer completions count as this long. The stage's max_completion_length unless given. */
  max_length: z.int().positive().optional(),
  ...correctnessOptions,
});

export const cosine = defineReward("cosine", cosineOptions, (o, context): Reward => {
  const limit = lengthLimit("cosine", "max_length", o.max_length, context);
  const isRight = correctness(o, context);
  const ends = [o.min_value_correct, o.max_value_correct, o.min_value_wrong, o.max_value_wrong];
  return {
    name: "cosine",
    measuresLength: true,
    range: [Math.min(...ends), Math.max(...ends)],
    score: (example, completions) =>
      completions.map(({ text, tokenIds }) =>
        isRight(example, text)
          ? fall(o.max_value_correct, o.min_value_correct, tokenIds.length / limit)
          : fall(o.min_value_wrong, o.max_value_wrong, tokenIds.length / limit),
      ),
  };
});

/** From one value to another along half a cosine; `share` beyond 1 counts as 1. */
function fall(from: number, to: number, share: number): number {
  const value = to + 0.5 * (from - to) * (1 + Math.cos(Math.PI * Math.min(1, share)));
  return Math.min(Math.max(value, Math.min(from, to)), Math.max(from, to)); // rounding may leave the range by an ulp
}

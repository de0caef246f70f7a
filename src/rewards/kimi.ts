/** Kimi k1.5's length reward (arXiv 2501.12599, section 2.3.3): lengths compared within the group. */
import { z } from "zod";
import { correctness, correctnessOptions } from "./correct.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

/** λ = 0.5 − (L − shortest)/(longest − shortest); right answers λ, wrong ones min(0, λ), all 0 in groups of one length. */
export const kimi = defineReward("kimi", z.object(correctnessOptions), (o, context): Reward => {
  const isRight = correctness(o, context);
  return {
    name: "kimi",
    measuresLength: true,
    comparesGroup: true,
    range: [-0.5, 0.5],
    score: (example, completions) => {
      const lengths = completions.map(({ tokenIds }) => tokenIds.length);
      const shortest = lengths.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
      const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
      if (longest <= shortest) return completions.map(() => 0);
      return completions.map(({ text, tokenIds }) => {
        const lambda = 0.5 - (tokenIds.length - shortest) / (longest - shortest);
        return isRight(example, text) ? lambda : Math.min(0, lambda);
      });
    },
  };
});

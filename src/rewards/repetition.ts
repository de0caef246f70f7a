/** Repetition penalty (arXiv 2502.03373, appendix C.2): the share of n-grams of tokens that are repeats, as a negative. */
import { z } from "zod";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const repetitionOptions = z.object({ ngram_size: z.int().min(1).default(3) });

/** −(1 − unique/total n-grams), in [−1, 0]; 0 for completions shorter than n tokens. */
export const repetition = defineReward("repetition", repetitionOptions, ({ ngram_size: n }): Reward => {
  return {
    name: "repetition",
    range: [-1, 0],
    score: (_, completions) => completions.map(({ tokenIds }) => penalty(tokenIds, n)),
  };
});

function penalty(ids: Int32Array, n: number): number {
  const total = ids.length - n + 1;
  if (total < 1) return 0;
  const unique = new Set<string>();
  for (let i = 0; i < total; i++) unique.add(ids.subarray(i, i + n).join(" "));
  return unique.size / total - 1;
}

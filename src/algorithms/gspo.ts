/** GSPO (arXiv 2507.18071): one ratio for a whole completion, the geometric mean of its tokens' ratios. */

export const gspo = { importance_sampling_level: "sequence", epsilon: 3e-4, epsilon_high: 4e-4 } as const;

/** A completion's mean of logProb − oldLogProb over the tokens that count, those of mask 1; 0 for one without any. */
export function sequenceLogRatio(
  logProbs: ArrayLike<number>,
  oldLogProbs: ArrayLike<number>,
  mask?: ArrayLike<number>,
): number {
  let [total, count] = [0, 0];
  for (let t = 0; t < logProbs.length; t++) {
    if (mask?.[t] === 0) continue;
    total += logProbs[t]! - oldLogProbs[t]!;
    count++;
  }
  return count === 0 ? 0 : total / count;
}

/** GSPO (arXiv 2507.18071): one ratio for a whole completion, the geometric mean of its tokens' ratios. */

export const gspo = { importance_sampling_level: "sequence", epsilon: 3e-4, epsilon_high: 4e-4 } as const;

/** A completion's mean of logProb − oldLogProb; 0 for one without tokens. */
export function sequenceLogRatio(logProbs: ArrayLike<number>, oldLogProbs: ArrayLike<number>): number {
  let total = 0;
  for (let t = 0; t < logProbs.length; t++) total += logProbs[t]! - oldLogProbs[t]!;
  return logProbs.length === 0 ? 0 : total / logProbs.length;
}

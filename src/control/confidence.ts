/** How sure a model is of a trial answer (DEER, arXiv 2504.15895, at iie-ycx/DEER@c9dd19f), or of one option among all (ours). */
import { meanOf } from "../core/mean.ts";

/** Of the probabilities of an answer's tokens: arithmetic mean, geometric mean, least. */
export const confidenceScores = {
  avg1: (logProbs) => meanOf(Array.from(logProbs, Math.exp)),
  avg2: (logProbs) => Math.exp(meanOf(Array.from(logProbs))),
  min: (logProbs) => Math.exp(Math.min(...logProbs)),
} as const satisfies Readonly<Record<string, (logProbs: ArrayLike<number> & Iterable<number>) => number>>;

export type ConfidenceScore = keyof typeof confidenceScores;

/** The options' shares of their common probability, from their log-probs. */
export function optionShares(logProbs: readonly number[]): readonly number[] {
  const most = Math.max(...logProbs);
  const weights = logProbs.map((value) => Math.exp(value - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Entropy of shares divided by that of equal ones: 0 is certain, 1 undecided; 0 for a single share. */
export function normalisedEntropy(shares: readonly number[]): number {
  if (shares.length < 2) return 0;
  const entropy = shares.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0);
  return entropy / Math.log(shares.length);
}

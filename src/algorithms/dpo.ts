/** DPO (arXiv 2305.18290): the loss of pairs from sequence log-probs, and what its gradient weighs each pair's tokens by. */

/** Σ logp − Σ ref over a completion's tokens, for both completions of a pair. */
export interface PairScores {
  readonly chosen: number;
  readonly rejected: number;
}

export interface PreferenceLoss {
  /** Mean of −log σ(β(chosen − rejected)). */
  readonly loss: number;
  /** −∂loss/∂(Σ logp of the chosen) = ∂loss/∂(Σ logp of the rejected), per pair. */
  readonly weights: readonly number[];
  /** β times the scores: the implicit rewards. */
  readonly rewards: readonly PairScores[];
}

export function preferenceLoss(pairs: readonly PairScores[], beta: number): PreferenceLoss {
  const rewards = pairs.map(({ chosen, rejected }) => ({ chosen: beta * chosen, rejected: beta * rejected }));
  const margins = rewards.map(({ chosen, rejected }) => chosen - rejected);
  const count = Math.max(1, pairs.length);
  return {
    // −log σ(m) = log(1 + e^−m), without overflow for either sign.
    loss: margins.reduce((sum, m) => sum + Math.max(0, -m) + Math.log1p(Math.exp(-Math.abs(m))), 0) / count,
    weights: margins.map((m) => beta / (1 + Math.exp(m)) / count),
    rewards,
  };
}

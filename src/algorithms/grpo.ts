/** GRPO (arXiv 2402.03300): clipped policy gradient on group-relative advantages, with an optional KL penalty. */
import { add, exp, maximum, minimum, mul, neg, stopGradient, sub } from "../compiler/ops/index.ts";
import { scalar, type Tensor } from "../compiler/tensor.ts";
import { groupRelativeAdvantages } from "./advantages.ts";
import type { KlEstimator, RolloutAlgorithm, TokenLoss } from "./algorithm.ts";
import { tokenWeights } from "./token-weights.ts";

export const grpo: RolloutAlgorithm = {
  name: "grpo",
  tokenLoss: "clipped",
  defaults: { lossType: "grpo", scaleRewards: "group" },
  advantages: groupRelativeAdvantages,
  tokenWeights,
};

/** −min(min(ρ, delta)·A, clip(ρ)·A) + β·KL; ties of the minimum pass the whole gradient of ρ·A. */
export const clippedTokenLoss: TokenLoss = (t, { onPolicy, klEstimator }) => {
  const old = onPolicy ? stopGradient(t.logProb) : t.oldLogProb;
  const ratio = exp(sub(t.logProb, old));
  const low = sub(scalar(1), t.epsilonLow);
  const high = add(scalar(1), t.epsilonHigh);
  const clipped = minimum(maximum(ratio, low), high);
  const policy = neg(minimum(mul(minimum(ratio, t.delta), t.advantage), mul(clipped, t.advantage)));
  return klEstimator === null ? policy : add(policy, mul(t.beta, kl(klEstimator, t.logProb, t.refLogProb)));
};

/** Per-token estimate of KL(policy || reference) (http://joschu.net/blog/kl-approx.html). */
function kl(estimator: KlEstimator, logProb: Tensor, refLogProb: Tensor): Tensor {
  const difference = sub(refLogProb, logProb);
  switch (estimator) {
    case "k1":
      return neg(difference);
    case "k2":
      return mul(scalar(0.5), mul(difference, difference));
    case "k3":
      return sub(sub(exp(difference), difference), scalar(1));
  }
}

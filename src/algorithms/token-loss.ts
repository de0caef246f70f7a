/** The whole loss of a token: ratio, policy loss, KL term. */
import { add, exp, mul, stopGradient, sub } from "../compiler/ops/index.ts";
import type { Tensor } from "../compiler/tensor.ts";
import type { TokenLoss, TokenLossVariant, TokenTerms } from "./algorithm.ts";
import { klPenalty } from "./kl.ts";

/** [tokens] losses of [tokens] terms; the entropy bonus is the caller's, who has the distribution. */
export function tokenLossOf(loss: TokenLoss, t: TokenTerms, variant: TokenLossVariant): Tensor {
  const policy = loss.policyLoss({ ...t, ratio: policyRatio(t, variant) });
  if (variant.klEstimator === null) return policy;
  return add(policy, mul(t.beta, klPenalty(variant.klEstimator, t.logProb, t.refLogProb)));
}

/**
 * ρ = exp(logp − old). At the level of sequences its value is the completion's and its gradient by each token's logProb is
 * ρ: summed with equal weights over the completion, that is the gradient of exp(mean(logp − old)).
 */
function policyRatio(t: TokenTerms, { onPolicy, level }: TokenLossVariant): Tensor {
  const own = stopGradient(t.logProb);
  if (onPolicy) return exp(sub(t.logProb, own));
  if (level === "token") return exp(sub(t.logProb, t.oldLogProb));
  return exp(add(t.sequenceLogRatio, sub(t.logProb, own)));
}

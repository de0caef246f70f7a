/** Per-token estimates of KL(policy || reference) (http://joschu.net/blog/kl-approx.html). */
import { exp, mul, neg, sub } from "../compiler/ops/index.ts";
import { scalar, type Tensor } from "../compiler/tensor.ts";

/** By name, of d = ref − logp: k1 −d, k2 d²/2, k3 e^d − d − 1. */
const estimates = {
  k1: (d: Tensor) => neg(d),
  k2: (d: Tensor) => mul(scalar(0.5), mul(d, d)),
  k3: (d: Tensor) => sub(sub(exp(d), d), scalar(1)),
} as const;

export type KlEstimator = keyof typeof estimates;
export const klEstimators = Object.keys(estimates) as [KlEstimator, ...KlEstimator[]];

/** An estimate per token. */
export function klPenalty(estimator: KlEstimator, logProb: Tensor, refLogProb: Tensor): Tensor {
  return estimates[estimator](sub(refLogProb, logProb));
}

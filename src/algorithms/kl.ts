/** Per-token estimates of KL(policy || reference) (http://joschu.net/blog/kl-approx.html). */
import { exp, mul, neg, sub } from "../compiler/ops/index.ts";
import { scalar, type Tensor } from "../compiler/tensor.ts";
import type { KlEstimator } from "./algorithm.ts";

/** With d = ref − logp: k1 −d, k2 d²/2, k3 e^d − d − 1. */
export function klPenalty(estimator: KlEstimator, logProb: Tensor, refLogProb: Tensor): Tensor {
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

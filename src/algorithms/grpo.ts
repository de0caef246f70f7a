/** GRPO (arXiv 2402.03300): clipped policy gradient on group-relative advantages. */
import { add, maximum, minimum, mul, neg, sub } from "../compiler/ops/index.ts";
import { scalar } from "../compiler/tensor.ts";
import type { RolloutAlgorithm, TokenLoss } from "./algorithm.ts";

export const grpo: RolloutAlgorithm = {
  name: "grpo",
  defaults: {
    advantage: "group_relative",
    scaleRewards: "group",
    tokenLoss: "clip",
    lossType: "grpo",
    importanceSamplingLevel: "token",
    epsilon: 0.2,
    epsilonHigh: null,
    filterGroups: false,
  },
};

/** −min(min(ρ, delta)·A, clip(ρ)·A); ties of the minimum pass the whole gradient of ρ·A. */
export const clip: TokenLoss = {
  policyLoss(t) {
    const low = sub(scalar(1), t.epsilonLow);
    const high = add(scalar(1), t.epsilonHigh);
    const clipped = minimum(maximum(t.ratio, low), high);
    return neg(minimum(mul(minimum(t.ratio, t.delta), t.advantage), mul(clipped, t.advantage)));
  },
  bounds({ epsilon, epsilonHigh }) {
    const high = epsilonHigh ?? epsilon;
    return { epsilonLow: epsilon, epsilonHigh: high, low: 1 - epsilon, high: 1 + high };
  },
};

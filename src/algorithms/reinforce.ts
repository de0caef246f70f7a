/** REINFORCE (Williams 1992) with the group's mean for a baseline: no ratio, so it is meant for one update per rollout. */
import { mul, neg } from "../compiler/ops/index.ts";
import { type RolloutAlgorithm, type TokenLoss, unbounded } from "./algorithm.ts";
import { grpo } from "./grpo.ts";

export const reinforce: RolloutAlgorithm = {
  name: "reinforce",
  defaults: { ...grpo.defaults, scaleRewards: "none", tokenLoss: "reinforce", lossType: "dr_grpo" },
};

/** −A·logp. */
export const reinforceLoss: TokenLoss = {
  policyLoss: (t) => neg(mul(t.advantage, t.logProb)),
  bounds: unbounded,
};

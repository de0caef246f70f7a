/** REINFORCE (Williams 1992) with the group's mean for a baseline: no ratio, so it is meant for one update per rollout. */
import { mul, neg } from "../compiler/ops/index.ts";
import { defineTokenLoss, unbounded } from "./algorithm.ts";

export const reinforce = { scale_rewards: "none", token_loss: "reinforce", loss_type: "dr_grpo" } as const;

/** −A·logp. */
export const reinforceLoss = defineTokenLoss({
  options: {},
  numbers: () => ({}),
  policyLoss: (t) => neg(mul(t.advantage, t.logProb)),
  bounds: unbounded,
});

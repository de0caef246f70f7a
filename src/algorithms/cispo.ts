/** CISPO (arXiv 2506.13585): REINFORCE with importance weights that are capped, so that no token's gradient is dropped. */
import { minimum, mul, neg, stopGradient } from "../compiler/ops/index.ts";
import type { RolloutAlgorithm, TokenLoss } from "./algorithm.ts";
import { grpo } from "./grpo.ts";

const CAP = 5;

export const cispo: RolloutAlgorithm = {
  name: "cispo",
  defaults: { ...grpo.defaults, tokenLoss: "cispo", lossType: "dapo", epsilonHigh: CAP },
};

/** −stopgrad(min(ρ, epsilonHigh))·A·logp. */
export const cispoLoss: TokenLoss = {
  policyLoss: (t) => neg(mul(mul(stopGradient(minimum(t.ratio, t.epsilonHigh)), t.advantage), t.logProb)),
  bounds({ epsilonHigh }) {
    const cap = epsilonHigh ?? CAP;
    return { epsilonLow: 0, epsilonHigh: cap, low: 0, high: cap };
  },
};

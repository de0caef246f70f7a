/** SAPO (arXiv 2511.20347): a smooth gate around ratio 1 in place of the clip. */
import { div, lessOrEqual, mul, neg, sigmoid, sub, where } from "../compiler/ops/index.ts";
import { scalar } from "../compiler/tensor.ts";
import { type RolloutAlgorithm, type TokenLoss, unbounded } from "./algorithm.ts";
import { grpo } from "./grpo.ts";

export const sapo: RolloutAlgorithm = { name: "sapo", defaults: { ...grpo.defaults, tokenLoss: "sapo" } };

/** −(4/τ)·σ(τ(ρ − 1))·A; τ depends on the advantage's sign. */
export const sapoLoss: TokenLoss = {
  policyLoss(t) {
    const temperature = where(lessOrEqual(t.advantage, scalar(0)), t.temperatureNegative, t.temperaturePositive);
    const gate = sigmoid(mul(temperature, sub(t.ratio, scalar(1))));
    return neg(mul(mul(div(scalar(4), temperature), gate), t.advantage));
  },
  bounds: unbounded,
};

/** SAPO (arXiv 2511.20347): a smooth gate around ratio 1 in place of the clip. */
import { div, lessOrEqual, mul, neg, sigmoid, sub, where } from "../compiler/ops/index.ts";
import { scalar } from "../compiler/tensor.ts";
import { number } from "../core/fields.ts";
import { defineTokenLoss, unbounded } from "./algorithm.ts";

export const sapo = { token_loss: "sapo" } as const;

/** −(4/τ)·σ(τ(ρ − 1))·A; τ depends on the advantage's sign. */
export const sapoLoss = defineTokenLoss({
  options: {
    sapo_temperature_pos: number({ above: 0 }).default(1).describe("Of sapo's gate where the advantage is positive."),
    sapo_temperature_neg: number({ above: 0 }).default(1.05).describe("Of sapo's gate elsewhere."),
  },
  numbers: (o) => ({ temperaturePositive: o.sapo_temperature_pos, temperatureNegative: o.sapo_temperature_neg }),
  policyLoss(t) {
    const temperature = where(lessOrEqual(t.advantage, scalar(0)), t.temperatureNegative, t.temperaturePositive);
    const gate = sigmoid(mul(temperature, sub(t.ratio, scalar(1))));
    return neg(mul(mul(div(scalar(4), temperature), gate), t.advantage));
  },
  bounds: unbounded,
});

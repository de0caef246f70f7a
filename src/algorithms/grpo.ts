/** GRPO (arXiv 2402.03300): clipped policy gradient on group-relative advantages. */
import { add, maximum, minimum, mul, neg, sub } from "../compiler/ops/index.ts";
import { scalar } from "../compiler/tensor.ts";
import { number } from "../core/fields.ts";
import { defineTokenLoss } from "./algorithm.ts";

/** The defaults of settings and options are GRPO's own. */
export const grpo = {} as const;

/** −min(min(ρ, delta)·A, clip(ρ)·A); ties of the minimum pass the whole gradient of ρ·A. */
export const clip = defineTokenLoss({
  options: {
    epsilon: number({ above: 0 }).default(0.2).describe("Clip range of the ratio below 1."),
    epsilon_high: number({ above: 0 })
      .nullable()
      .default(null)
      .describe("Clip range above 1, null is epsilon; with token_loss cispo the ratio's cap, null is 5."),
    delta: number({ above: 1 }).nullable().default(null).describe("Upper bound of the unclipped ratio; null has none."),
  },
  idle: { delta: { value: null, error: "must be null: only token_loss clip reads it" } },
  check: ({ delta, ...o }) =>
    delta === null || delta > 1 + (o.epsilon_high ?? o.epsilon)
      ? null
      : { key: "delta", error: "must exceed 1 + epsilon_high (or it would clip inside the clip range)" },
  numbers: ({ epsilon, epsilon_high, delta }) => ({
    epsilonLow: epsilon,
    epsilonHigh: epsilon_high ?? epsilon,
    delta: delta ?? Number.POSITIVE_INFINITY,
  }),
  policyLoss(t) {
    const low = sub(scalar(1), t.epsilonLow);
    const high = add(scalar(1), t.epsilonHigh);
    const clipped = minimum(maximum(t.ratio, low), high);
    return neg(minimum(mul(minimum(t.ratio, t.delta), t.advantage), mul(clipped, t.advantage)));
  },
  bounds: ({ epsilon, epsilon_high }) => ({ low: 1 - epsilon, high: 1 + (epsilon_high ?? epsilon) }),
});

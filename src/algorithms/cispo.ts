/** CISPO (arXiv 2506.13585): REINFORCE with importance weights that are capped, so that no token's gradient is dropped. */
import { maximum, minimum, mul, neg, stopGradient } from "../compiler/ops/index.ts";
import { defineTokenLoss } from "./algorithm.ts";
import { clip } from "./grpo.ts";

const CAP = 5;

export const cispo = { token_loss: "cispo", loss_type: "dapo", epsilon_high: CAP } as const;

/** −stopgrad(max(min(ρ, epsilonHigh), ratioFloor))·A·logp; the paper has no floor, other tools have one. */
export const cispoLoss = defineTokenLoss({
  options: { epsilon_high: clip.options.epsilon_high },
  numbers: ({ epsilon_high }) => ({ epsilonHigh: epsilon_high ?? CAP, ratioFloor: 0 }),
  policyLoss(t) {
    const ratio = stopGradient(maximum(minimum(t.ratio, t.epsilonHigh), t.ratioFloor));
    return neg(mul(mul(ratio, t.advantage), t.logProb));
  },
  bounds: ({ epsilon_high }) => ({ low: 0, high: epsilon_high ?? CAP }),
});

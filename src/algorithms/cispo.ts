/** CISPO (arXiv 2506.13585): REINFORCE with importance weights that are capped, so that no token's gradient is dropped. */
import { minimum, mul, neg, stopGradient } from "../compiler/ops/index.ts";
import { defineTokenLoss } from "./algorithm.ts";
import { clip } from "./grpo.ts";

const CAP = 5;

export const cispo = { token_loss: "cispo", loss_type: "dapo", epsilon_high: CAP } as const;

/** −stopgrad(min(ρ, epsilonHigh))·A·logp. */
export const cispoLoss = defineTokenLoss({
  options: { epsilon_high: clip.options.epsilon_high },
  numbers: ({ epsilon_high }) => ({ epsilonHigh: epsilon_high ?? CAP }),
  policyLoss: (t) => neg(mul(mul(stopGradient(minimum(t.ratio, t.epsilonHigh)), t.advantage), t.logProb)),
  bounds: ({ epsilon_high }) => ({ low: 0, high: epsilon_high ?? CAP }),
});

/** DPO (arXiv 2305.18290), and the Bradley-Terry loss that it shares with reward models. */
import { neg, sub } from "../../compiler/ops/index.ts";
import { scalar, type Tensor } from "../../compiler/tensor.ts";
import { number } from "../../core/fields.ts";
import { definePairwise, logSigmoid } from "./pairwise.ts";

export const marginOption = number({ min: 0 })
  .default(0)
  .describe("What the chosen completion must be ahead by before the loss is satisfied.");

export const betaOption = number({ above: 0 })
  .default(0.1)
  .describe("How strongly the policy is held to the reference.");

/** −log σ(better − worse − margin). */
export function bradleyTerry(better: Tensor, worse: Tensor, margin = 0): Tensor {
  const ahead = sub(better, worse);
  return neg(logSigmoid(margin === 0 ? ahead : sub(ahead, scalar(margin))));
}

export const dpo = definePairwise({
  roles: ["chosen", "rejected"],
  readout: "implicit_reward",
  options: { beta: betaOption, margin: marginOption },
  defaults: {},
  loss: (s, { margin }) => bradleyTerry(s.chosen, s.rejected, margin),
});

/**
 * Response-conditioned losses (Rc-DPO and the Rc reward model, arXiv 2502.00814): a completion loses where its prompt asks for a
 * length that it breaks, and a rejected one gains where it keeps what is asked. The weight of the plain term is ours.
 */
import type * as z from "zod";
import { add, mul } from "../../compiler/ops/index.ts";
import { scalar } from "../../compiler/tensor.ts";
import { number } from "../../core/fields.ts";
import type { OptionValues } from "../algorithm.ts";
import { betaOption, bradleyTerry } from "./dpo.ts";
import { definePairwise, type Readout } from "./pairwise.ts";

const termWeights = {
  satisfied_weight: number({ min: 0 })
    .default(1)
    .describe("Weight of the term in which the rejected completion keeps a limit of length."),
  base_weight: number({ min: 0 }).default(1).describe("Weight of the plain term, chosen against rejected."),
};

/** −log σ(s_c − s_violated) − λ·log σ(s_satisfied − s_r) − base·log σ(s_c − s_r). */
function responseConditioned<Own extends z.ZodRawShape>(readout: Readout, learningRate: number, own: Own) {
  return definePairwise({
    roles: ["chosen", "rejected", "chosen_violated", "rejected_satisfied"],
    readout,
    options: {
      ...own,
      ...termWeights,
    },
    defaults: { learning_rate: learningRate, lr_scheduler_type: "cosine", warmup_steps: 10, batch_size: 64 },
    loss(s, o) {
      const { satisfied_weight, base_weight } = o as OptionValues<typeof termWeights>;
      const kept = mul(bradleyTerry(s.rejected_satisfied, s.rejected), scalar(satisfied_weight));
      const plain = mul(bradleyTerry(s.chosen, s.rejected), scalar(base_weight));
      return add(bradleyTerry(s.chosen, s.chosen_violated), add(kept, plain));
    },
  });
}

export const rcDpo = responseConditioned("implicit_reward", 1e-6, { beta: betaOption });
export const rcRewardModel = responseConditioned("score", 1e-5, {});

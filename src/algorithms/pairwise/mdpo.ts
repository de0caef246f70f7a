/**
 * mDPO (arXiv 2406.11839; public code luka-group/mDPO): DPO, and the chosen completion must fit its image better than a corrupted
 * one, and stay likely by itself.
 */
import { add, mul, neg, sub } from "../../compiler/ops/index.ts";
import { scalar } from "../../compiler/tensor.ts";
import { number, oneOf } from "../../core/fields.ts";
import { betaOption, bradleyTerry } from "./dpo.ts";
import { definePairwise, logSigmoid } from "./pairwise.ts";

/** −log σ(s_c − s_r) − w_i·log σ(s_c − s_corrupted) − w_a·log σ(s_c − anchor). */
export const mdpo = definePairwise({
  roles: ["chosen", "rejected", "chosen_corrupted"],
  readout: "implicit_reward",
  options: {
    beta: betaOption,
    corrupt: oneOf("crop", "blank", "swap")
      .default("crop")
      .describe(
        "The image beside which the chosen completion should lose: a small crop, one colour, or another example's.",
      ),
    image_weight: number({ min: 0 }).default(1).describe("Weight of the term against the corrupted image."),
    anchor_weight: number({ min: 0 })
      .default(1)
      .describe("Weight of the term that keeps the chosen completion likely."),
    anchor: number().default(0).describe("The implicit reward that the chosen completion should exceed."),
  },
  // Of the public configuration, whose warm-up is a tenth of the steps.
  defaults: { learning_rate: 1e-5, warmup_steps: 0.1, weight_decay: 0.05 },
  loss(s, { image_weight, anchor_weight, anchor }) {
    const image = mul(bradleyTerry(s.chosen, s.chosen_corrupted), scalar(image_weight));
    const kept = mul(neg(logSigmoid(sub(s.chosen, scalar(anchor)))), scalar(anchor_weight));
    return add(bradleyTerry(s.chosen, s.rejected), add(image, kept));
  },
});

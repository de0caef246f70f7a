/** A reward model (arXiv 2203.02155): a score head trained by Bradley-Terry on pairs, with TRL's term that centres the scores. */
import { add, mul } from "../../compiler/ops/index.ts";
import { scalar } from "../../compiler/tensor.ts";
import { number } from "../../core/fields.ts";
import { bradleyTerry, marginOption } from "./dpo.ts";
import { definePairwise } from "./pairwise.ts";

/** −log σ(s_c − s_r − margin) + center·(s_c + s_r)². */
export const rewardModel = definePairwise({
  roles: ["chosen", "rejected"],
  readout: "score",
  options: {
    margin: marginOption,
    center: number({ min: 0 })
      .default(0)
      .describe("Weight of (s_c + s_r)², which keeps scores about 0; 0.01 is sensible."),
  },
  defaults: { learning_rate: 1e-5 },
  loss(s, { margin, center }) {
    const plain = bradleyTerry(s.chosen, s.rejected, margin);
    if (center === 0) return plain;
    const total = add(s.chosen, s.rejected);
    return add(plain, mul(mul(total, total), scalar(center)));
  },
});

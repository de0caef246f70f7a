/** Dr. GRPO (arXiv 2503.20783): GRPO without the length average and without the division by the group's deviation. */
import type { RolloutAlgorithm } from "./algorithm.ts";
import { grpo } from "./grpo.ts";

export const drGrpo: RolloutAlgorithm = {
  name: "dr_grpo",
  defaults: { ...grpo.defaults, lossType: "dr_grpo", scaleRewards: "none" },
};

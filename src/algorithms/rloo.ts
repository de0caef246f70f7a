/** RLOO (arXiv 2402.14740): each completion against the mean of the others of its group. */
import { meanOf } from "../core/mean.ts";
import { hasZeroSpread, present } from "./advantages.ts";
import { defineAdvantage } from "./algorithm.ts";

export const rloo = { advantage: "rloo", scale_rewards: "none", loss_type: "dr_grpo" } as const;

/** G/(G − 1)·(r − mean), which is r − mean of the others; G counts the known rewards. */
export const leaveOneOut = defineAdvantage({
  options: {},
  advantages: (groups) =>
    groups.map(({ reward }) => {
      if (hasZeroSpread(reward)) return reward.map(() => 0);
      const known = present(reward);
      const scale = known.length / (known.length - 1);
      const mean = meanOf(known);
      return reward.map((r) => (r === null ? 0 : scale * (r - mean)));
    }),
});

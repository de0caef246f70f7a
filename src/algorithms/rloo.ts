/** RLOO (arXiv 2402.14740): each completion against the mean of the others of its group. */
import { meanOf } from "../core/mean.ts";
import { hasZeroSpread, present } from "./advantages.ts";
import type { AdvantageEstimator, RolloutAlgorithm } from "./algorithm.ts";
import { grpo } from "./grpo.ts";

export const rloo: RolloutAlgorithm = {
  name: "rloo",
  defaults: { ...grpo.defaults, advantage: "rloo", scaleRewards: "none", lossType: "dr_grpo" },
};

/** G/(G − 1)·(r − mean), which is r − mean of the others; G counts the known rewards. */
export const leaveOneOut: AdvantageEstimator = {
  scales: false,
  advantages: (groups) =>
    groups.map(({ reward }) => {
      if (hasZeroSpread(reward)) return reward.map(() => 0);
      const known = present(reward);
      const scale = known.length / (known.length - 1);
      const mean = meanOf(known);
      return reward.map((r) => (r === null ? 0 : scale * (r - mean)));
    }),
};

/** OPO (arXiv 2505.23585): the baseline of least variance where a completion's gradient grows with its length. */
import { hasZeroSpread } from "./advantages.ts";
import { defineAdvantage } from "./algorithm.ts";

export const opo = { advantage: "opo", scale_rewards: "none", token_loss: "reinforce", loss_type: "dr_grpo" } as const;

/** r − Σ(L·r)/ΣL over the group's completions with a reward. */
export const optimalBaseline = defineAdvantage({
  options: {},
  advantages: (groups) =>
    groups.map(({ reward, lengths }) => {
      if (hasZeroSpread(reward)) return reward.map(() => 0);
      const total = lengths.reduce((sum, length, i) => sum + (reward[i] === null ? 0 : length), 0);
      const baseline = reward.reduce<number>((sum, r, i) => sum + (r ?? 0) * lengths[i]!, 0) / Math.max(1, total);
      return reward.map((r) => (r === null ? 0 : r - baseline));
    }),
});

/** Group-relative advantages (arXiv 2402.03300) and their scalings; standard deviations are unbiased. */
import { oneOf } from "../core/fields.ts";
import { meanOf } from "../core/mean.ts";
import { defineAdvantage, type GroupRewards } from "./algorithm.ts";

export const rewardScalings = ["group", "batch", "none"] as const;
export type RewardScaling = (typeof rewardScalings)[number];

/** Keeps a group of almost equal rewards from exploding; TRL's value. */
export const EPSILON = 1e-4;

export const groupRelative = defineAdvantage({
  options: {
    scale_rewards: oneOf(...rewardScalings)
      .default("group")
      .describe("Which standard deviation divides a group_relative advantage."),
  },
  idle: { scale_rewards: { value: "none", error: "must be none: only advantage group_relative is scaled" } },
  advantages(groups, { scale_rewards: scaleRewards }) {
    const rewards = groups.map(({ reward }) => reward);
    return groupRelativeAdvantages(rewards, { scaleRewards });
  },
});

/** r − mean of the group, over the standard deviation of the group, of the batch, or of nothing (Dr. GRPO). */
export function groupRelativeAdvantages(
  rewards: readonly GroupRewards[],
  { scaleRewards }: { readonly scaleRewards: RewardScaling },
): number[][] {
  const batchDeviation = scaleRewards === "batch" ? standardDeviation(present(rewards.flat())) : 0;
  return rewards.map((group) => {
    // The mean of equal rewards may be rounded: its advantages must be exactly 0.
    if (hasZeroSpread(group)) return group.map(() => 0);
    const known = present(group);
    const deviation = scaleRewards === "group" ? standardDeviation(known) : batchDeviation;
    const scale = scaleRewards === "none" ? 1 : 1 / (deviation + EPSILON);
    const mean = meanOf(known);
    return group.map((reward) => (reward === null ? 0 : (reward - mean) * scale));
  });
}

/** Unbiased (n − 1); 0 for fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1));
}

/** True when the known rewards of a group are all equal: it has no gradient. */
export function hasZeroSpread(group: GroupRewards): boolean {
  const known = present(group);
  return known.every((reward) => reward === known[0]);
}

export function present(values: GroupRewards): number[] {
  return values.filter((value) => value !== null);
}

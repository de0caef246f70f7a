/** GDPO (arXiv 2601.05242): each reward is normalised in its group before the sum, so that none drowns another. */
import { meanOf } from "../core/mean.ts";
import { EPSILON, groupRelativeAdvantages, hasZeroSpread, present, standardDeviation } from "./advantages.ts";
import { defineAdvantage, type GroupRewards, type ScoredGroup } from "./algorithm.ts";

export const gdpo = { advantage: "multi_objective", scale_rewards: "none" } as const;

/** Σ_k w_k·(r_k − mean_k)/(std_k + 1e-4) in the group, then a z-score over the batch. */
export const multiObjective = defineAdvantage({
  options: {},
  advantages(groups, _, weights) {
    const sums = groups.map((group) => weightedSum(group, weights));
    const known = present(sums.flat());
    // Without any variance the result must be exactly 0, not a rounding divided by a rounding.
    if (hasZeroSpread(known)) return sums.map((group) => group.map(() => 0));
    const mean = meanOf(known);
    const deviation = standardDeviation(known);
    return sums.map((group) => group.map((sum) => (sum === null ? 0 : (sum - mean) / (deviation + EPSILON))));
  },
});

function weightedSum({ rewards }: ScoredGroup, weights: Readonly<Record<string, number>>): GroupRewards {
  const names = Object.keys(rewards);
  const scaled = groupRelativeAdvantages(
    names.map((name) => rewards[name]!),
    { scaleRewards: "group" },
  );
  const count = rewards[names[0]!]?.length ?? 0;
  return Array.from({ length: count }, (_, i) => {
    if (names.every((name) => rewards[name]![i] === null)) return null;
    return names.reduce((sum, name, k) => sum + weights[name]! * scaled[k]![i]!, 0);
  });
}

/** Group-relative advantages (arXiv 2402.03300) and their scalings; standard deviations are unbiased. */
import type { AdvantageOptions } from "./algorithm.ts";

/** Keeps a group of almost equal rewards from exploding; TRL's value. */
const EPSILON = 1e-4;

/** r − mean of the group, over the standard deviation of the group, of the batch, or of nothing (Dr. GRPO). */
export function groupRelativeAdvantages(
  rewards: readonly (readonly (number | null)[])[],
  { scaleRewards }: AdvantageOptions,
): number[][] {
  const batchDeviation = scaleRewards === "batch" ? standardDeviation(present(rewards.flat())) : 0;
  return rewards.map((group) => {
    // The mean of equal rewards may be rounded: what teaches nothing must be 0, not almost.
    if (hasZeroSpread(group)) return group.map(() => 0);
    const known = present(group);
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    const deviation = scaleRewards === "group" ? standardDeviation(known) : batchDeviation;
    const scale = scaleRewards === "none" ? 1 : 1 / (deviation + EPSILON);
    return group.map((reward) => (reward === null ? 0 : (reward - mean) * scale));
  });
}

/** Unbiased (n − 1); 0 for fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1));
}

/** True when the known rewards of a group are all equal: it teaches nothing. */
export function hasZeroSpread(group: readonly (number | null)[]): boolean {
  const known = present(group);
  return known.every((reward) => reward === known[0]);
}

function present(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

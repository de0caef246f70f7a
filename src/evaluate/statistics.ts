/** Tests and intervals in closed form, and the smallest detectable difference of a sample. */
import { meanOf } from "../core/mean.ts";
import { bySubject } from "./bootstrap.ts";

export interface McNemar {
  /** Correct in a and wrong in b. */
  readonly onlyA: number;
  readonly onlyB: number;
  /** Two-sided exact binomial p value. */
  readonly p: number;
}

/** McNemar's exact test of two runs on the same items: are discordant items won and lost equally often? */
export function mcnemarExact(a: readonly boolean[], b: readonly boolean[]): McNemar {
  if (a.length !== b.length) throw new Error(`internal: mcnemarExact: ${a.length} items against ${b.length}`);
  const onlyA = a.filter((right, i) => right && !b[i]).length;
  const onlyB = b.filter((right, i) => right && !a[i]).length;
  const flips = onlyA + onlyB;
  // log of the binomial term C(n, k) / 2^n, from k = 0 up to the smaller count.
  let logTerm = -flips * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyA, onlyB); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(flips - k) - Math.log(k + 1);
  }
  return { onlyA, onlyB, p: Math.min(1, 2 * tail) };
}

/** Wilson's 95 % interval of a fraction of independent rows; [0, 1] without rows. */
export function wilson(successes: number, n: number): readonly [low: number, high: number] {
  if (n === 0) return [0, 1];
  const z = Z_975;
  const share = successes / n;
  const centre = share + (z * z) / (2 * n);
  const reach = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return [Math.max(0, (centre - reach) / scale), Math.min(1, (centre + reach) / scale)];
}

/**
 * Two-sided p of a mean of 0 for differences of right (1) and wrong (0) answers, by flipping the signs of subjects: if
 * nothing differs, a subject's sum is as likely with either sign. Exact however few the subjects are, where a bootstrap
 * is not: the distribution of the total over all 2^S flips is summed up subject by subject.
 */
export function signFlipP(differences: readonly number[], subjects: readonly string[]): number {
  const sums = bySubject([differences], subjects).sums.filter((sum) => sum !== 0);
  if (!sums.every(Number.isInteger)) throw new Error("internal: signFlipP: differences must be whole numbers");
  const reach = sums.reduce((total, sum) => total + Math.abs(sum), 0);
  let chance = new Float64Array(2 * reach + 1); // of each total from -reach to reach
  chance[reach] = 1;
  for (const sum of sums) {
    const next = new Float64Array(chance.length);
    const step = Math.abs(sum);
    for (let i = 0; i < chance.length; i++) {
      if (chance[i] === 0) continue;
      next[i - step]! += chance[i]! / 2;
      next[i + step]! += chance[i]! / 2;
    }
    chance = next;
  }
  const found = Math.abs(sums.reduce((total, sum) => total + sum, 0));
  const within = chance.subarray(reach - found + 1, reach + found).reduce((total, one) => total + one, 0);
  return found === 0 ? 1 : Math.max(0, 1 - within);
}

/**
 * Holm's step-down correction for multiple tests (Holm 1979): adjusted p values in the given order. Comparing them with
 * a level bounds the family-wise error rate by that level.
 */
export function holm(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = new Array<number>(pValues.length);
  let highest = 0;
  for (const [rank, i] of order.entries()) {
    highest = Math.max(highest, Math.min(1, (pValues.length - rank) * pValues[i]!));
    adjusted[i] = highest;
  }
  return adjusted;
}

/**
 * Cluster-robust standard error of the mean, for rows that are independent between subjects but not within (the
 * sandwich estimator with the factor S / (S - 1) for S subjects); NaN for fewer than two subjects.
 */
export function clusteredStandardError(values: readonly number[], subjects: readonly string[]): number {
  const { sums, counts } = bySubject([values], subjects);
  const mean = meanOf(values);
  const squares = sums.reduce((sum, total, s) => sum + (total - mean * counts[s]!) ** 2, 0);
  return Math.sqrt((squares * counts.length) / (counts.length - 1)) / values.length;
}

/**
 * The smallest true difference that a two-sided test at 5 % detects with 80 % power, given the standard error of the
 * measured difference: (1.96 + 0.84) times it.
 */
export function minimalDetectableDifference(standardError: number): number {
  return (Z_975 + Z_80) * standardError;
}

/**
 * The detectable difference for the mean of values, their standard error multiplied by a factor; null for fewer than
 * two subjects, and where all came out alike: how far others would scatter is then unknown, not 0.
 */
export function detectableDifference(
  values: readonly number[],
  subjects: readonly string[],
  factor = 1,
): number | null {
  const error = factor * clusteredStandardError(values, subjects);
  return error > ROUNDING ? minimalDetectableDifference(error) : null;
}

/** The standard normal distribution function, to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
export function normalShare(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp(-x * x);
  return z >= 0 ? 1 - tail / 2 : tail / 2;
}

/** A standard error below this is 0 but for rounding: accuracies are shares of counts. */
const ROUNDING = 1e-12;

const Z_975 = 1.959963984540054;
const Z_80 = 0.8416212335729143;

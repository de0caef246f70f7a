/** Intervals and paired tests. Resampling draws subjects, never rows: rows of one image are not independent. */
import { integer, randomKey } from "../core/random.ts";

/** A mean with its bootstrap interval. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** Rows. */
  readonly n: number;
  readonly subjects: number;
}

export interface BootstrapOptions {
  /** 2,000 unless said otherwise. */
  readonly resamples?: number;
  readonly seed?: number;
  /** 0.95 unless said otherwise. */
  readonly level?: number;
}

/**
 * Mean of the values with a percentile bootstrap interval over subjects; null for no values. A resample draws as many
 * subjects as there are, with replacement, and takes the mean over all their rows. The same seed and the same number of
 * subjects draw the same resamples.
 */
export function bootstrapMean(
  values: readonly number[],
  subjects: readonly string[],
  options: BootstrapOptions = {},
): Interval | null {
  const { resamples = 2000, seed = 0, level = 0.95 } = options;
  if (values.length !== subjects.length) {
    throw new Error(`internal: bootstrapMean: ${values.length} values for ${subjects.length} subjects`);
  }
  if (values.length === 0) return null;
  const { sums, counts } = bySubject(values, subjects);
  const count = sums.length;
  const key = randomKey(seed, "bootstrap");
  const means = new Float64Array(resamples);
  for (let b = 0; b < resamples; b++) {
    let sum = 0;
    let rows = 0;
    for (let i = 0; i < count; i++) {
      const drawn = integer(key, b * count + i, count);
      sum += sums[drawn]!;
      rows += counts[drawn]!;
    }
    means[b] = sum / rows;
  }
  means.sort();
  const tail = (1 - level) / 2;
  const estimate = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { estimate, low: quantile(means, tail), high: quantile(means, 1 - tail), n: values.length, subjects: count };
}

/** Mean of a − b, row by row, with its interval over subjects; "improved" may only be said when the interval excludes 0. */
export function pairedBootstrap(
  a: readonly number[],
  b: readonly number[],
  subjects: readonly string[],
  options: BootstrapOptions = {},
): Interval | null {
  if (a.length !== b.length) throw new Error(`internal: pairedBootstrap: ${a.length} values against ${b.length}`);
  const differences = a.map((value, i) => value - b[i]!);
  return bootstrapMean(differences, subjects, options);
}

export interface McNemar {
  /** Right in a and wrong in b. */
  readonly onlyA: number;
  readonly onlyB: number;
  /** Two-sided exact binomial p. */
  readonly p: number;
}

/** McNemar's exact test of two runs on the same items: are the items that flip as often won as lost? */
export function mcnemarExact(a: readonly boolean[], b: readonly boolean[]): McNemar {
  if (a.length !== b.length) throw new Error(`internal: mcnemarExact: ${a.length} items against ${b.length}`);
  const onlyA = a.filter((right, i) => right && !b[i]).length;
  const onlyB = b.filter((right, i) => right && !a[i]).length;
  const flips = onlyA + onlyB;
  // log of the binomial term C(n, k) / 2^n, from k = 0 up to the smaller side.
  let logTerm = -flips * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyA, onlyB); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(flips - k) - Math.log(k + 1);
  }
  return { onlyA, onlyB, p: Math.min(1, 2 * tail) };
}

/** Wilson's 95 % interval of a share of independent rows; [0, 1] for none. */
export function wilson(successes: number, n: number): readonly [low: number, high: number] {
  if (n === 0) return [0, 1];
  const z = 1.959964;
  const share = successes / n;
  const centre = share + (z * z) / (2 * n);
  const reach = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return [Math.max(0, (centre - reach) / scale), Math.min(1, (centre + reach) / scale)];
}

/** Quantile of sorted values, linear between ranks. */
export function quantile(sorted: Float64Array, share: number): number {
  const rank = share * (sorted.length - 1);
  const below = Math.floor(rank);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (rank - below) * (sorted[above]! - sorted[below]!);
}

function bySubject(values: readonly number[], subjects: readonly string[]) {
  const index = new Map<string, number>();
  for (const subject of subjects) if (!index.has(subject)) index.set(subject, index.size);
  const sums = new Float64Array(index.size);
  const counts = new Float64Array(index.size);
  for (const [i, value] of values.entries()) {
    const at = index.get(subjects[i]!)!;
    sums[at] = sums[at]! + value;
    counts[at] = counts[at]! + 1;
  }
  return { sums, counts };
}

/** Bootstrap intervals over subjects, not rows, since rows of one image are not independent. */
import { meanOf } from "../core/mean.ts";
import { randomKey, uint32 } from "../core/random.ts";
import type { Interval } from "../runs/statistics-records.ts";

export type { Interval } from "../runs/statistics-records.ts";

/** Default number of bootstrap resamples by purpose; a report, which has many intervals, uses half as many. */
export const RESAMPLES = { evaluation: 2000, study: 4000, report: 1000 } as const;

/** Default interval settings of an evaluation, recorded in its results. */
export const bootstrapDefaults = { resamples: RESAMPLES.evaluation, seed: 0, level: 0.95 } as const;

/** Default: `bootstrapDefaults`. */
export interface BootstrapOptions {
  readonly resamples?: number;
  readonly seed?: number;
  readonly level?: number;
}

/**
 * Means of several columns of values over the same rows, each with its percentile bootstrap interval over subjects. A
 * resample draws as many subjects as there are, with replacement, and takes the mean over all their rows; all columns
 * use the same resamples. The resamples are determined by seed and number of subjects. Throws if there are no rows.
 */
export function bootstrapMeans(
  columns: readonly (readonly number[])[],
  subjects: readonly string[],
  options: BootstrapOptions = {},
): readonly Interval[] {
  const { resamples, seed, level } = { ...bootstrapDefaults, ...options };
  const n = subjects.length;
  for (const { length } of columns) {
    if (length !== n || n === 0) throw new Error(`internal: bootstrapMeans: ${length} values for ${n} subjects`);
  }
  const { sums, counts } = bySubject(columns, subjects);
  const { kindOf, kinds } = alike(sums, counts);
  const width = columns.length;
  const means = columns.map(() => new Float64Array(resamples));
  const drawn = new Uint32Array(kinds.length);
  for (let b = 0; b < resamples; b++) {
    draw(drawn, kindOf, uint32(randomKey(seed, "bootstrap", b), 0));
    let rows = 0;
    for (const [kind, subject] of kinds.entries()) rows += drawn[kind]! * counts[subject]!;
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let kind = 0; kind < kinds.length; kind++) sum += drawn[kind]! * sums[kinds[kind]! * width + c]!;
      means[c]![b] = sum / rows;
    }
  }
  const tail = (1 - level) / 2;
  return columns.map((values, c) => {
    const sorted = means[c]!.sort();
    const estimate = meanOf(values);
    return { estimate, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), n, subjects: counts.length };
  });
}

/** The mean of one column with its interval; null without values. */
export function bootstrapMean(
  values: readonly number[],
  subjects: readonly string[],
  options: BootstrapOptions = {},
): Interval | null {
  if (values.length !== subjects.length) {
    throw new Error(`internal: bootstrapMean: ${values.length} values for ${subjects.length} subjects`);
  }
  return values.length === 0 ? null : bootstrapMeans([values], subjects, options)[0]!;
}

/**
 * Mean of a − b, paired by row, with its interval over subjects; only an interval that excludes 0 allows the word
 * "improved".
 */
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

/**
 * Any statistic of the rows with its percentile bootstrap interval over subjects. The statistic receives a count per
 * row: 1 for the estimate; in a resample, how often its subject was drawn. Resamples with a NaN statistic are skipped;
 * null if the estimate is NaN. Uses the same resamples as `bootstrapMeans` for the same seed and number of subjects.
 */
export function bootstrapStatistic(
  subjects: readonly string[],
  statistic: (times: Float64Array) => number,
  options: BootstrapOptions = {},
): Interval | null {
  const { resamples, seed, level } = { ...bootstrapDefaults, ...options };
  const n = subjects.length;
  const names = [...new Set(subjects)];
  const place = new Map(names.map((name, i) => [name, i] as const));
  const subjectOf = Uint32Array.from(subjects, (subject) => place.get(subject)!);
  const estimate = n === 0 ? Number.NaN : statistic(new Float64Array(n).fill(1));
  if (!Number.isFinite(estimate)) return null;
  const each = Uint32Array.from(names, (_, i) => i);
  const drawn = new Uint32Array(names.length);
  const times = new Float64Array(n);
  const values: number[] = [];
  for (let b = 0; b < resamples; b++) {
    draw(drawn, each, uint32(randomKey(seed, "bootstrap", b), 0));
    for (let i = 0; i < n; i++) times[i] = drawn[subjectOf[i]!]!;
    const value = statistic(times);
    if (Number.isFinite(value)) values.push(value);
  }
  const sorted = Float64Array.from(values.length > 0 ? values : [estimate]).sort();
  const tail = (1 - level) / 2;
  return { estimate, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), n, subjects: names.length };
}

/** Quantile of sorted values, with linear interpolation between ranks. */
export function quantile(sorted: Float64Array, share: number): number {
  const rank = share * (sorted.length - 1);
  const below = Math.floor(rank);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (rank - below) * (sorted[above]! - sorted[below]!);
}

/** Per subject, the sum of each column [subjects, columns] and the number of rows. */
export function bySubject(columns: readonly (readonly number[])[], subjects: readonly string[]) {
  const index = new Map<string, number>();
  for (const subject of subjects) if (!index.has(subject)) index.set(subject, index.size);
  const width = columns.length;
  const sums = new Float64Array(index.size * width);
  const counts = new Float64Array(index.size);
  for (const [i, subject] of subjects.entries()) {
    const at = index.get(subject)!;
    counts[at] = counts[at]! + 1;
    for (let c = 0; c < width; c++) sums[at * width + c] = sums[at * width + c]! + columns[c]![i]!;
  }
  return { sums, counts };
}

/**
 * Groups subjects with identical counts and sums, so that they can be counted together: `kinds` has one subject of
 * each.
 */
function alike(sums: Float64Array, counts: Float64Array) {
  const width = sums.length / counts.length;
  const byContent = new Map<string, number>();
  const kinds: number[] = [];
  const kindOf = Uint32Array.from(counts, (count, s) => {
    const content = `${count} ${sums.subarray(s * width, (s + 1) * width).join(" ")}`;
    const kind = byContent.get(content) ?? kinds.push(s) - 1;
    byContent.set(content, kind);
    return kind;
  });
  return { kindOf, kinds };
}

/** How often each kind is drawn in as many draws as there are subjects: splitmix32, starting at `state`. */
export function draw(times: Uint32Array, kindOf: Uint32Array, state: number): void {
  const n = kindOf.length;
  times.fill(0);
  let at = state | 0;
  for (let i = 0; i < n; i++) {
    at = (at + 0x9e3779b9) | 0;
    let h = at ^ (at >>> 16);
    h = Math.imul(h, 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    h = (h ^ (h >>> 15)) >>> 0;
    const kind = kindOf[Math.floor((h * n) / 0x100000000)]!;
    times[kind] = times[kind]! + 1;
  }
}

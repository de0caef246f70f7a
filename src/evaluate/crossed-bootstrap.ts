/**
 * Means over questions answered by several trained models, resampling both subjects and seeds, since both are samples.
 */
import { meanOf } from "../core/mean.ts";
import { randomKey, uint32 } from "../core/random.ts";
import { type BootstrapOptions, bootstrapDefaults, draw, type Interval, quantile, RESAMPLES } from "./bootstrap.ts";

/** A value with its subject and the seed of its model. */
export interface CrossedValue {
  readonly subject: string;
  readonly seed: number;
  readonly value: number;
}

/** An interval with a two-sided p value for a mean of 0. */
export interface CrossedInterval extends Interval {
  /** Twice the fraction of resamples on the other side of 0, at least 2 / (resamples + 1). */
  readonly p: number;
}

/**
 * The mean with its percentile interval of the crossed ("pigeonhole") bootstrap (Owen 2007, arXiv 0712.1111). A
 * resample draws subjects and, independently, seeds with replacement, as many as there are, and weights each value by
 * the product of their counts. With one seed only subjects are resampled. Null without values.
 */
export function crossedBootstrap(
  values: readonly CrossedValue[],
  options: BootstrapOptions = {},
): CrossedInterval | null {
  if (values.length === 0) return null;
  const { resamples, seed, level } = { ...bootstrapDefaults, resamples: RESAMPLES.study, ...options };
  const subjects = indexOf(values.map(({ subject }) => subject));
  const seeds = indexOf(values.map((value) => value.seed));
  const sums = new Float64Array(subjects.size * seeds.size); // [subjects, seeds]
  const counts = new Float64Array(sums.length);
  for (const { subject, seed: of, value } of values) {
    const at = subjects.get(subject)! * seeds.size + seeds.get(of)!;
    sums[at] = sums[at]! + value;
    counts[at] = counts[at]! + 1;
  }
  const means: number[] = [];
  const [ofSubject, everySubject] = places(subjects.size);
  const [ofSeed, everySeed] = places(seeds.size);
  for (let b = 0; b < resamples; b++) {
    draw(ofSubject, everySubject, uint32(randomKey(seed, "crossed", "subject", b), 0));
    draw(ofSeed, everySeed, uint32(randomKey(seed, "crossed", "seed", b), 0));
    let [sum, count] = [0, 0];
    for (let s = 0; s < subjects.size; s++) {
      if (ofSubject[s] === 0) continue;
      for (let r = 0; r < seeds.size; r++) {
        const weight = ofSubject[s]! * ofSeed[r]!;
        sum += weight * sums[s * seeds.size + r]!;
        count += weight * counts[s * seeds.size + r]!;
      }
    }
    if (count > 0) means.push(sum / count); // if seeds share no subject, a resample can be empty
  }
  const sorted = Float64Array.from(means).sort();
  const tail = (1 - level) / 2;
  const below = (sorted.filter((mean) => mean <= 0).length + 1) / (sorted.length + 1);
  const above = (sorted.filter((mean) => mean >= 0).length + 1) / (sorted.length + 1);
  return {
    estimate: meanOf(values.map(({ value }) => value)),
    low: quantile(sorted, tail),
    high: quantile(sorted, 1 - tail),
    n: values.length,
    subjects: subjects.size,
    p: Math.min(1, 2 * Math.min(below, above)),
  };
}

function indexOf<T>(values: readonly T[]): ReadonlyMap<T, number> {
  const index = new Map<T, number>();
  for (const value of values) if (!index.has(value)) index.set(value, index.size);
  return index;
}

/** Arrays for the count of each of `n` items, and for their indices. */
function places(n: number): readonly [times: Uint32Array, all: Uint32Array] {
  return [new Uint32Array(n), Uint32Array.from({ length: n }, (_, i) => i)];
}

/**
 * Ratios of totals (tokens per right answer, invented findings among asserted ones) compared between two trained models:
 * the difference of the ratios, resampling subjects and seeds.
 */
import { randomKey, uint32 } from "../core/random.ts";
import { bootstrapDefaults, draw, quantile, RESAMPLES } from "./bootstrap.ts";
import type { CrossedInterval } from "./crossed-bootstrap.ts";

/** What one question adds to a ratio's numerator and denominator. */
export type Part = readonly [numerator: number, denominator: number];

/** A question's parts under both models. */
export interface PairedParts {
  readonly subject: string;
  readonly seed: number;
  readonly arm: Part;
  readonly other: Part;
}

/** The ratio of totals; null where the denominators add up to 0. */
export function ratioOf(parts: readonly Part[]): number | null {
  const [above, below] = [0, 1].map((i) => parts.reduce((sum, part) => sum + part[i]!, 0)) as [number, number];
  return below === 0 ? null : above / below;
}

/**
 * Arm's ratio minus the other's, with the crossed bootstrap's percentile interval (as `crossedBootstrap`, whose mean it is
 * where all denominators are 1). Null where a ratio is undefined; resamples in which one is are left out.
 */
export function crossedRatioDifference(
  values: readonly PairedParts[],
  { resamples = RESAMPLES.study as number, seed = bootstrapDefaults.seed, level = bootstrapDefaults.level } = {},
): CrossedInterval | null {
  const [arm, other] = [ratioOf(values.map((one) => one.arm)), ratioOf(values.map((one) => one.other))];
  if (arm === null || other === null) return null;
  const subjects = [...new Set(values.map(({ subject }) => subject))];
  const seeds = [...new Set(values.map((one) => one.seed))];
  const [subjectAt, seedAt] = [new Map(subjects.map((name, i) => [name, i])), new Map(seeds.map((one, i) => [one, i]))];
  // Numerators and denominators of both models by subject and seed.
  const sums = new Float64Array(4 * subjects.length * seeds.length);
  for (const one of values) {
    const at = 4 * (subjectAt.get(one.subject)! * seeds.length + seedAt.get(one.seed)!);
    for (const [i, value] of [...one.arm, ...one.other].entries()) sums[at + i]! += value;
  }
  const [ofSubject, everySubject] = counters(subjects.length);
  const [ofSeed, everySeed] = counters(seeds.length);
  const differences: number[] = [];
  for (let b = 0; b < resamples; b++) {
    draw(ofSubject, everySubject, uint32(randomKey(seed, "crossed", "subject", b), 0));
    draw(ofSeed, everySeed, uint32(randomKey(seed, "crossed", "seed", b), 0));
    const total = [0, 0, 0, 0];
    for (let s = 0; s < subjects.length; s++) {
      for (let r = 0; ofSubject[s]! > 0 && r < seeds.length; r++) {
        const weight = ofSubject[s]! * ofSeed[r]!;
        for (let i = 0; i < 4; i++) total[i]! += weight * sums[4 * (s * seeds.length + r) + i]!;
      }
    }
    if (total[1]! > 0 && total[3]! > 0) differences.push(total[0]! / total[1]! - total[2]! / total[3]!);
  }
  const sorted = Float64Array.from(differences).sort();
  const tail = (1 - level) / 2;
  const below = (sorted.filter((value) => value <= 0).length + 1) / (sorted.length + 1);
  const above = (sorted.filter((value) => value >= 0).length + 1) / (sorted.length + 1);
  return {
    estimate: arm - other,
    low: quantile(sorted, tail),
    high: quantile(sorted, 1 - tail),
    n: values.length,
    subjects: subjects.length,
    p: Math.min(1, 2 * Math.min(below, above)),
  };
}

function counters(n: number): readonly [times: Uint32Array, all: Uint32Array] {
  return [new Uint32Array(n), Uint32Array.from({ length: n }, (_, i) => i)];
}

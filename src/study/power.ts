/**
 * What a study can see, from a pilot: how much of a difference's variance is due to seeds, to questions, and to neither,
 * and so the difference that a number of seeds and questions detects.
 */
import { minimalDetectableDifference, normalShare, type PairedParts } from "../evaluate/index.ts";

/** Standard deviations of one question's difference with one seed, in the measure's unit. */
export interface Components {
  readonly seed: number;
  readonly subject: number;
  readonly residual: number;
}

/**
 * The components of a difference of ratios by its linear part (delta method), from the mean squares of the two-way layout of
 * seeds and subjects without replication (Searle, Casella and McCulloch 1992, section 4.3); negative estimates are 0. Null
 * with fewer than two seeds or two subjects, or where a subject lacks a seed.
 */
export function componentsOf(parts: readonly PairedParts[]): Components | null {
  const rows = tableOf(linearised(parts));
  if (rows === null) return null;
  const [subjects, seeds] = [rows.length, rows[0]!.length];
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const all = mean(rows.flat());
  const ofSubject = rows.map(mean);
  const ofSeed = rows[0]!.map((_, r) => mean(rows.map((row) => row[r]!)));
  const squares = (values: readonly number[]) => values.reduce((sum, value) => sum + (value - all) ** 2, 0);
  const [forSubjects, forSeeds] = [seeds * squares(ofSubject), subjects * squares(ofSeed)];
  const rest = squares(rows.flat()) - forSubjects - forSeeds;
  const residual = Math.max(0, rest) / ((subjects - 1) * (seeds - 1));
  const component = (square: number, levels: number, repeats: number) =>
    Math.sqrt(Math.max(0, (square / (levels - 1) - residual) / repeats));
  return {
    seed: component(forSeeds, seeds, subjects),
    subject: component(forSubjects, subjects, seeds),
    residual: Math.sqrt(residual),
  };
}

/** The standard error of the difference with so many seeds and questions, the same questions for every seed. */
export function standardErrorOf({ seed, subject, residual }: Components, seeds: number, subjects: number): number {
  return Math.sqrt(seed ** 2 / seeds + subject ** 2 / subjects + residual ** 2 / (seeds * subjects));
}

/** The smallest true difference seen with 80 % power at 5 % two-sided; and the power for a true difference `effect`. */
export function powerOf(components: Components, seeds: number, subjects: number, effect: number) {
  const error = standardErrorOf(components, seeds, subjects);
  const power = error === 0 ? 1 : normalShare(Math.abs(effect) / error - 1.959963984540054);
  return { detectable_difference: minimalDetectableDifference(error), power };
}

interface Value {
  readonly subject: string;
  readonly seed: number;
  readonly value: number;
}

/** What each question adds to the difference of ratios, to first order; their mean is the difference. */
function linearised(parts: readonly PairedParts[]): readonly Value[] {
  const totals = (["arm", "other"] as const).map((side) => {
    const [above, below] = [0, 1].map((i) => parts.reduce((sum, one) => sum + one[side][i]!, 0)) as [number, number];
    return { ratio: above / below, mean: below / parts.length };
  });
  const [arm, other] = totals as [(typeof totals)[number], (typeof totals)[number]];
  return parts.map(({ subject, seed, arm: a, other: b }) => {
    const own = arm.ratio + (a[0] - arm.ratio * a[1]) / arm.mean;
    return { subject, seed, value: own - other.ratio - (b[0] - other.ratio * b[1]) / other.mean };
  });
}

/** [subjects][seeds], means of a subject's questions; null where a cell is empty or there are too few. */
function tableOf(values: readonly Value[]): readonly (readonly number[])[] | null {
  const seeds = [...new Set(values.map(({ seed }) => seed))];
  const bySubject = new Map<string, number[][]>();
  for (const { subject, seed, value } of values) {
    const cells = bySubject.get(subject) ?? seeds.map((): number[] => []);
    cells[seeds.indexOf(seed)]!.push(value);
    bySubject.set(subject, cells);
  }
  const rows = [...bySubject.values()];
  if (seeds.length < 2 || rows.length < 2 || rows.some((cells) => cells.some((cell) => cell.length === 0))) return null;
  return rows.map((cells) => cells.map((cell) => cell.reduce((sum, one) => sum + one, 0) / cell.length));
}

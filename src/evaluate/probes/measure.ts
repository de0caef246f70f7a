/** Measures of probes: named numbers, each with n and a 95 % interval over subjects, paired where there is a pair. */
import { answerKey } from "../../answers/answer-key.ts";
import { bootstrapMean, bootstrapStatistic, type Interval, RESAMPLES } from "../bootstrap.ts";
import type { Asked } from "./asked.ts";

/**
 * `share`: in [0, 1], shown in percent; `difference` of two shares, in points; `correlation`; `number`: anything else.
 */
export const UNITS = ["share", "difference", "correlation", "number"] as const;
export type Unit = (typeof UNITS)[number];

export interface Measure {
  readonly name: string;
  /** What was changed ("cut to 25 %"), if a probe has several conditions; null for all questions as they are. */
  readonly condition: string | null;
  readonly unit: Unit;
  /** Null if no question counts. */
  readonly interval: Interval | null;
}

/** One value of one question. */
export interface Value {
  readonly subject: string;
  readonly value: number;
}

export function mean(name: string, unit: Unit, values: readonly Value[], condition: string | null = null): Measure {
  const interval = bootstrapMean(
    values.map(({ value }) => value),
    values.map(({ subject }) => subject),
  );
  return { name, condition, unit, interval };
}

/** The fraction for which `holds` is true; those for which it is null are excluded. */
export function share<T extends Asked>(
  name: string,
  asked: readonly T[],
  holds: (one: T) => boolean | null,
  condition: string | null = null,
): Measure {
  return mean(
    name,
    "share",
    valuesOf(asked, (one) => toNumber(holds(one))),
    condition,
  );
}

/** A value per question, without null values. */
export function valuesOf<T extends Asked>(asked: readonly T[], value: (one: T) => number | null): readonly Value[] {
  return asked.flatMap((one) => {
    const found = value(one);
    return found === null ? [] : [{ subject: one.item.subject_id, value: found }];
  });
}

/** A quantile of the values, without interpolation: the smallest value that this fraction of them does not exceed. */
export function quantile(name: string, unit: Unit, values: readonly Value[], at: number): Measure {
  const order = values.map((_, i) => i).sort((a, b) => values[a]!.value - values[b]!.value);
  const interval = bootstrapStatistic(subjectsOf(values), (times) => {
    const total = times.reduce((sum, count) => sum + count, 0);
    let passed = 0;
    for (const i of order) {
      passed += times[i]!;
      if (passed >= at * total && passed > 0) return values[i]!.value;
    }
    return Number.NaN;
  });
  return { name, condition: null, unit, interval };
}

/** Pearson's correlation; no interval if one of the two is constant. */
export function correlation(name: string, pairs: readonly (Value & { readonly other: number })[]): Measure {
  const interval = bootstrapStatistic(subjectsOf(pairs), (times) => {
    let [n, x, y, xx, yy, xy] = [0, 0, 0, 0, 0, 0];
    for (const [i, { value, other }] of pairs.entries()) {
      const w = times[i]!;
      n += w;
      x += w * value;
      y += w * other;
      xx += w * value * value;
      yy += w * other * other;
      xy += w * value * other;
    }
    const [varianceX, varianceY] = [n * xx - x * x, n * yy - y * y];
    const varies = varianceX > 1e-9 * n * xx && varianceY > 1e-9 * n * yy;
    return varies ? (n * xy - x * y) / Math.sqrt(varianceX * varianceY) : Number.NaN;
  });
  return { name, condition: null, unit: "correlation", interval };
}

/** Any statistic of rows by how often each counts (`bootstrapStatistic`), under a name. */
export function measured(
  name: string,
  unit: Unit,
  subjects: readonly string[],
  statistic: (times: Float64Array) => number,
  condition: string | null = null,
): Measure {
  return { name, condition, unit, interval: bootstrapStatistic(subjects, statistic, { resamples: RESAMPLES.report }) };
}

/** A question asked in two ways. */
export interface Pair extends Asked {
  readonly before: Asked;
}

/** Pairs the changed answers with the plain ones to the same questions. */
export function pairsOf(plain: readonly Asked[], asked: readonly Asked[]): readonly Pair[] {
  return asked.map((one) => ({ ...one, before: plain[one.index]! }));
}

/**
 * Accuracy of the changed variant, its difference from plain (negative: worse), and the fraction of answers that flip.
 */
export function compare(
  plain: readonly Asked[],
  asked: readonly Asked[],
  condition: string | null = null,
): readonly Measure[] {
  const pairs = pairsOf(plain, asked);
  return [
    share("accuracy", pairs, ({ item }) => item.strict === 1, condition),
    accuracyChange(pairs, condition),
    share("flip_rate", pairs, (pair) => keyOf(pair) !== keyOf(pair.before), condition),
  ];
}

/** Accuracy minus that of the plain variant; negative is worse. */
export function accuracyChange(pairs: readonly Pair[], condition: string | null): Measure {
  const values = valuesOf(pairs, (p) => p.item.strict - p.before.item.strict);
  return mean("accuracy_change", "difference", values, condition);
}

/** The normalised answer, null if it cannot be parsed; two unparsable answers count as equal. */
export function keyOf({ example, item }: Pick<Asked, "example" | "item">): string | null {
  return answerKey(example, item.parsed_answer?.text ?? null);
}

function subjectsOf(values: readonly Value[]): readonly string[] {
  return values.map(({ subject }) => subject);
}

function toNumber(holds: boolean | null): number | null {
  return holds === null ? null : holds ? 1 : 0;
}

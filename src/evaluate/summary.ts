/** Sums up scored items: accuracies with intervals over subjects, beside what baselines reach on the same items. */

import type { EvalItem } from "./score.ts";
import { type BootstrapOptions, bootstrapMean, type Interval, pairedBootstrap } from "./statistics.ts";

export const SUBSETS = ["overall", "closed", "open", "choice"] as const;
export type Subset = (typeof SUBSETS)[number];

export interface BaselineComparison {
  readonly accuracy: number;
  /** Strict accuracy less the baseline's, paired. */
  readonly difference: Interval;
  /** The interval excludes 0. */
  readonly verdict: "better" | "worse" | "open";
}

export interface SubsetSummary {
  readonly n: number;
  readonly subjects: number;
  /** Share right by the strictly parsed answer. */
  readonly accuracy: Interval;
  readonly lenient_accuracy: Interval;
  readonly token_f1: Interval;
  readonly parse_failure_rate: number;
  readonly format_rate: number;
  /** By baseline name. */
  readonly baselines: Readonly<Record<string, BaselineComparison>>;
}

/** The summary line of an evaluation in evals.jsonl. */
export interface EvalSummary {
  readonly checkpoint: string;
  readonly protocol: string;
  /** Only the subsets that have items. */
  readonly subsets: Readonly<Partial<Record<Subset, SubsetSummary>>>;
}

/** Sums up the items; the baselines' items must be of the same examples (any order). */
export function summarise(
  items: readonly EvalItem[],
  baselines: Readonly<Record<string, readonly EvalItem[]>> = {},
  options: BootstrapOptions = {},
): EvalSummary {
  const strictById = Object.entries(baselines).map(
    ([name, scored]) => [name, new Map(scored.map((item) => [item.example_id, item.strict]))] as const,
  );
  const subsets = SUBSETS.flatMap((subset) => {
    const chosen = items.filter((item) => subset === "overall" || item.answer_type === subset);
    return chosen.length === 0 ? [] : [[subset, summariseSubset(chosen, strictById, options)] as const];
  });
  return {
    checkpoint: items[0]?.checkpoint ?? "",
    protocol: items[0]?.protocol ?? "viva",
    subsets: Object.fromEntries(subsets),
  };
}

/** Strict accuracy by the values of one stratum ("modality"), most items first; items without it are left out. */
export function breakdown(
  items: readonly EvalItem[],
  stratum: string,
  options: BootstrapOptions = {},
): readonly { readonly value: string; readonly accuracy: Interval }[] {
  const values = [...new Set(items.map((item) => item.strata[stratum] ?? ""))].filter((value) => value !== "");
  return values
    .map((value) => {
      const chosen = items.filter((item) => item.strata[stratum] === value);
      return { value, accuracy: meanOf(chosen, (item) => item.strict, options) };
    })
    .sort((a, b) => b.accuracy.n - a.accuracy.n);
}

function summariseSubset(
  items: readonly EvalItem[],
  baselines: readonly (readonly [string, ReadonlyMap<string, number>])[],
  options: BootstrapOptions,
): SubsetSummary {
  const accuracy = meanOf(items, (item) => item.strict, options);
  return {
    n: items.length,
    subjects: accuracy.subjects,
    accuracy,
    lenient_accuracy: meanOf(items, (item) => item.lenient, options),
    token_f1: meanOf(items, (item) => item.token_f1, options),
    parse_failure_rate: share(items, (item) => item.parse_failure),
    format_rate: share(items, (item) => item.format),
    baselines: Object.fromEntries(baselines.map(([name, byId]) => [name, compare(items, byId, name, options)])),
  };
}

function compare(
  items: readonly EvalItem[],
  strictById: ReadonlyMap<string, number>,
  name: string,
  options: BootstrapOptions,
): BaselineComparison {
  const theirs = items.map(({ example_id }) => {
    const strict = strictById.get(example_id);
    if (strict === undefined) throw new Error(`internal: summarise: baseline "${name}" lacks item "${example_id}"`);
    return strict;
  });
  const ours = items.map((item) => item.strict);
  const subjects = items.map((item) => item.subject_id);
  const difference = pairedBootstrap(ours, theirs, subjects, options)!;
  const verdict = difference.low > 0 ? "better" : difference.high < 0 ? "worse" : "open";
  return { accuracy: theirs.reduce((sum, value) => sum + value, 0) / theirs.length, difference, verdict };
}

function meanOf(items: readonly EvalItem[], metric: (item: EvalItem) => number, options: BootstrapOptions): Interval {
  const subjects = items.map((item) => item.subject_id);
  return bootstrapMean(items.map(metric), subjects, options)!;
}

function share(items: readonly EvalItem[], holds: (item: EvalItem) => boolean): number {
  return items.filter(holds).length / items.length;
}

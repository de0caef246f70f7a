/** Summarises scored items: accuracies with intervals over subjects, next to baselines on the same items. */

import { meanOf } from "../core/mean.ts";
import { ANSWER_TYPES } from "../core/records.ts";
import type { Overlap } from "../data/index.ts";
import type { SubgroupFigures } from "../runs/statistics-records.ts";
import type { Verdict } from "../runs/verdict.ts";
import type { AnswerFigures } from "./answer-figures.ts";
import { type BootstrapOptions, bootstrapMean, bootstrapMeans, type Interval } from "./bootstrap.ts";
import type { Conditions } from "./conditions.ts";
import type { ScaleSweep } from "./conventional/scale.ts";
import type { FactSummary } from "./facts.ts";
import type { NumberFigures } from "./number-figures.ts";
import { type PairedComparison, paired } from "./paired.ts";
import type { ReasoningSummary } from "./reasoning/index.ts";
import type { SampledSummary } from "./sampled.ts";
import type { EvalItem } from "./score.ts";
import { detectableDifference, signFlipP } from "./statistics.ts";
import { verdictsOf } from "./verdict.ts";
import type { YesNoFigures } from "./yes-no.ts";

export const SUBSETS = ["overall", ...ANSWER_TYPES] as const;
export type Subset = (typeof SUBSETS)[number];

export interface BaselineComparison extends PairedComparison {
  /** The baseline's. */
  readonly accuracy: number;
  /** The same on the validation questions, where it answered any of this subset. */
  readonly validation?: number;
}

export interface SubsetSummary {
  readonly n: number;
  readonly subjects: number;
  /** Fraction correct by the strictly parsed answer. */
  readonly accuracy: Interval;
  readonly lenient_accuracy: Interval;
  readonly token_f1: Interval;
  readonly exact_match: Interval;
  readonly recall: Interval;
  readonly bleu_1: Interval;
  readonly rouge_l: Interval;
  /**
   * The smallest true difference in accuracy between two models with independent errors that these questions detect
   * with 80 % power; pairing lowers it. Null for one subject.
   */
  readonly detectable_difference: number | null;
  readonly parse_failure_rate: number;
  readonly format_rate: number;
  /** By baseline name. */
  readonly baselines: Readonly<Record<string, BaselineComparison>>;
  /** Against the best of them; absent without baselines. */
  readonly verdict?: Verdict;
}

/** Shared subjects and images, and the accuracy on the questions about others: the image-disjoint figure. */
export interface OverlapSummary extends Overlap {
  /** Null where every question is about something shared. */
  readonly unshared: Interval | null;
}

/** The summary row of an evaluation in evals.jsonl. */
export interface EvalSummary {
  readonly checkpoint: string;
  /** Runs tried to choose the settings of the run that made the checkpoint, as its recipe says; absent without a run. */
  readonly tuning_trials?: number;
  readonly protocol: string;
  /** Only subsets with items. */
  readonly subsets: Readonly<Partial<Record<Subset, SubsetSummary>>>;
  /** Conditions that a comparison requires to be equal. */
  readonly conditions?: Conditions;
  /** Present if questions were answered several times. */
  readonly sampled?: SampledSummary;
  /** Present if images have known facts and answers have reasoning. */
  readonly facts?: FactSummary;
  /** The way of reasoning that was asked for, and the validation accuracies it was chosen by. */
  readonly paradigm?: { readonly name: string; readonly validation?: Readonly<Record<string, number>> };
  /** How the reasoning goes about it; present if a vocabulary was given and any completion reasons. */
  readonly reasoning?: ReasoningSummary;
  /** What the questions share with the training data; absent where nothing is shared, or no training data is known. */
  readonly overlap?: OverlapSummary;
  /** Why the questions were not compared with all that the model was trained on. */
  readonly overlap_unknown?: string;
  /** Closed questions as a test with probabilities, by predictor; present if conventional models were asked for. */
  readonly yes_no?: Readonly<Record<string, YesNoFigures>>;
  /** From how many training questions on conventional models win; present if asked for. */
  readonly scale?: ScaleSweep;
  /** Gaps between groups in yes/no questions; present if groups were asked for and there are any. */
  readonly subgroups?: readonly SubgroupFigures[];
  /** Numeric questions by distance, by predictor and unit; present if there are any. */
  readonly numbers?: Readonly<Record<string, readonly NumberFigures[]>>;
  /** Sets of options by overlap, survival by status, reasoning by its words; present if there are any. */
  readonly figures?: AnswerFigures;
  /** Present if thoughts could be ended early: the share that was, and means of tokens, with those of trials beside them. */
  readonly thoughts?: { readonly stopped: number; readonly tokens: number; readonly trial_tokens: number };
  /** Present if questions were routed: how many each expert answered; "" is the model's own weights. */
  readonly experts?: Readonly<Record<string, number>>;
  /** How many answers were not to be had, by reason; they count as wrong. */
  readonly unanswered?: Readonly<Record<string, number>>;
}

/** What is summarised beside the items, by baseline name. */
export interface SummaryOptions extends BootstrapOptions {
  /** The baselines' items of validation questions, which choose the best of them. */
  readonly validation?: Readonly<Record<string, readonly EvalItem[]>>;
}

/** Summarises the items; the baselines' items must be of the same examples (in any order). */
export function summarise(
  items: readonly EvalItem[],
  baselines: Readonly<Record<string, readonly EvalItem[]>> = {},
  { validation = {}, ...options }: SummaryOptions = {},
): EvalSummary {
  const strictById = Object.entries(baselines).map(
    ([name, scored]) => [name, new Map(scored.map((item) => [item.example_id, item.strict]))] as const,
  );
  const subsets = SUBSETS.flatMap((subset) => {
    const of = (all: readonly EvalItem[]) => all.filter((item) => subset === "overall" || item.answer_type === subset);
    const chosen = of(items);
    const validated = (name: string) => of(validation[name] ?? []).map(({ strict }) => strict);
    return chosen.length === 0 ? [] : [[subset, summariseSubset(chosen, strictById, validated, options)] as const];
  });
  return {
    checkpoint: items[0]?.checkpoint ?? "",
    protocol: items[0]?.protocol ?? "viva",
    subsets: Object.fromEntries(subsets),
  };
}

/**
 * Strict accuracy by the values of one stratum ("modality"), most items first; items without the stratum are skipped.
 */
export function breakdown(
  items: readonly EvalItem[],
  stratum: string,
  options: BootstrapOptions = {},
): readonly { readonly value: string; readonly accuracy: Interval }[] {
  const values = [...new Set(items.map((item) => item.strata[stratum] ?? ""))].filter((value) => value !== "");
  return values
    .map((value) => {
      const chosen = items.filter((item) => item.strata[stratum] === value);
      return { value, accuracy: metricMean(chosen, (item) => item.strict, options) };
    })
    .sort((a, b) => b.accuracy.n - a.accuracy.n);
}

const METRICS = ["strict", "lenient", "token_f1", "exact_match", "recall", "bleu_1", "rouge_l"] as const;

function summariseSubset(
  items: readonly EvalItem[],
  baselines: readonly (readonly [string, ReadonlyMap<string, number>])[],
  validated: (name: string) => readonly number[],
  options: BootstrapOptions,
): SubsetSummary {
  const subjects = items.map((item) => item.subject_id);
  const columns = METRICS.map((metric) => items.map((item) => item[metric]));
  const strict = columns[0]!;
  const theirs = baselines.map(([name, byId]) => strictOf(items, byId, name));
  const differences = theirs.map((values) => strict.map((value, i) => value - values[i]!));
  const intervals = bootstrapMeans([...columns, ...differences], subjects, options);
  const byMetric = Object.fromEntries(METRICS.map((metric, m) => [metric, intervals[m]!]));
  const { strict: accuracy, lenient, ...overlaps } = byMetric as Record<(typeof METRICS)[number], Interval>;
  const compared = baselines.map(([name], b) => {
    const difference = intervals[METRICS.length + b]!;
    const accuracy = meanOf(theirs[b]!);
    const known = validated(name);
    const validation = known.length === 0 ? {} : { validation: meanOf(known) };
    return [name, { accuracy, ...validation, ...paired(strict, theirs[b]!, subjects, difference) }] as const;
  });
  const tests = compared.map(([, { difference, detectable_difference }], b) => {
    return { difference, p: signFlipP(differences[b]!, subjects), detectable_difference };
  });
  const named = compared.map(([name, { accuracy, validation }]) => {
    return { name, accuracy, ...(validation === undefined ? {} : { validation }) };
  });
  return {
    n: items.length,
    subjects: accuracy.subjects,
    accuracy,
    lenient_accuracy: lenient,
    ...overlaps,
    detectable_difference: detectableDifference(strict, subjects, Math.SQRT2),
    parse_failure_rate: share(items, (item) => item.parse_failure),
    format_rate: share(items, (item) => item.format),
    baselines: Object.fromEntries(compared),
    ...(named.length === 0 ? {} : { verdict: verdictsOf([tests], named)[0]! }),
  };
}

function strictOf(items: readonly EvalItem[], strictById: ReadonlyMap<string, number>, name: string): number[] {
  return items.map(({ example_id }) => {
    const strict = strictById.get(example_id);
    if (strict === undefined) throw new Error(`internal: summarise: baseline "${name}" lacks item "${example_id}"`);
    return strict;
  });
}

function metricMean(
  items: readonly EvalItem[],
  metric: (item: EvalItem) => number,
  options: BootstrapOptions,
): Interval {
  const subjects = items.map((item) => item.subject_id);
  return bootstrapMean(items.map(metric), subjects, options)!;
}

function share(items: readonly EvalItem[], holds: (item: EvalItem) => boolean): number {
  return items.filter(holds).length / items.length;
}

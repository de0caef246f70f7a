/** Yes/no questions as a test with probabilities: areas, costs and calibration of the model and of what stands beside it. */
import { normalise } from "../answers/normalise.ts";
import { meanOf } from "../core/mean.ts";
import type { Example } from "../core/records.ts";
import { bootstrapStatistic, type Interval, RESAMPLES } from "./bootstrap.ts";
import {
  auprc,
  auroc,
  brier,
  calibrationError,
  confusion,
  costOf,
  fMeasure,
  minPrecisionRecall,
  weightedAuroc,
} from "./metrics/binary.ts";
import type { EvalItem } from "./score.ts";

/** False alarms that a missed yes costs unless told otherwise (ours). */
const MISSED_COST = 5;

/** Figures of one predictor of "yes"; areas and scores count unreadable answers as 0.5. */
export interface YesNoFigures {
  readonly n: number;
  /** Questions whose reference is yes. */
  readonly positives: number;
  /** Answers that are neither yes nor no. */
  readonly unreadable: number;
  readonly auroc: Interval;
  /** The area with unreadable answers as sure mistakes of the one and of the other kind. */
  readonly auroc_bounds: readonly [low: number, high: number];
  readonly auprc: number;
  readonly min_precision_recall: number;
  /** At the threshold 0.5, where an unreadable answer is no yes and right nowhere. */
  readonly recall: number;
  readonly specificity: number;
  readonly accuracy: number;
  readonly f1: number;
  readonly f3: number;
  /** (missed x what one costs + false alarms) / n. */
  readonly cost: number;
  /** What a missed yes costs, in false alarms. */
  readonly missed_cost: number;
  readonly brier: number;
  readonly calibration_error: number;
}

/** An answer read as a probability of yes: 1 or 0, null where it is neither. */
export function yesOf({ strict, parse_failure, answer }: EvalItem): number | null {
  if (parse_failure) return null;
  const isYes = normalise(answer) === "yes";
  return (strict === 1) === isYes ? 1 : 0;
}

/**
 * Figures by predictor of the closed questions whose reference is yes or no; null where not both occur. Probabilities are
 * in the examples' order; a missed yes costs as much as `missedCost` false alarms.
 */
export function yesNoFigures(
  examples: readonly Example[],
  predictors: Readonly<Record<string, readonly (number | null)[]>>,
  missedCost = MISSED_COST,
): Readonly<Record<string, YesNoFigures>> | null {
  const asked = examples.flatMap((example, i) => {
    const reference = normalise(example.answer);
    return example.answerType === "closed" && ["yes", "no"].includes(reference)
      ? [{ i, yes: reference === "yes" }]
      : [];
  });
  const targets = asked.map(({ yes }) => (yes ? 1 : 0));
  const positives = targets.filter((target) => target === 1).length;
  if (positives === 0 || positives === asked.length) return null;
  const subjects = asked.map(({ i }) => examples[i]!.subjectId);
  const figures = Object.entries(predictors).map(([name, probabilities]) => {
    const given = asked.map(({ i }) => probabilities[i] ?? null);
    const scores = given.map((p) => p ?? 0.5);
    const counts = confusion(
      targets,
      given.map((p) => p ?? 0),
    );
    const filled = (right: boolean) => given.map((p, row) => p ?? (right ? targets[row]! : 1 - targets[row]!));
    return [
      name,
      {
        n: asked.length,
        positives,
        unreadable: given.filter((p) => p === null).length,
        auroc: bootstrapStatistic(subjects, weightedAuroc(targets, scores), { resamples: RESAMPLES.report })!,
        auroc_bounds: [auroc(targets, filled(false)), auroc(targets, filled(true))] as const,
        auprc: auprc(targets, scores),
        min_precision_recall: minPrecisionRecall(targets, scores),
        ...sharesRight(targets, given),
        f1: fMeasure(counts),
        f3: fMeasure(counts, 3),
        cost: costOf(counts, missedCost),
        missed_cost: missedCost,
        brier: brier(targets, scores),
        calibration_error: calibrationError(targets, scores),
      },
    ] as const;
  });
  return Object.fromEntries(figures);
}

/** Of the positives, of the negatives, and of all, those that the probability puts on the right side. */
function sharesRight(targets: readonly number[], given: readonly (number | null)[]) {
  const right = given.map((p, i) => Number(p !== null && (p >= 0.5 ? 1 : 0) === targets[i]));
  const of = (wanted: number) => meanOf(right.filter((_, i) => targets[i] === wanted));
  return { recall: of(1), specificity: of(0), accuracy: meanOf(right) };
}

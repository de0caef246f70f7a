/** Numeric questions by distance: errors of the model's numbers and of what stands beside it, and their order. */
import { numberOf } from "../answers/number.ts";
import type { Example } from "../core/records.ts";
import { bootstrapMean, type Interval, RESAMPLES } from "./bootstrap.ts";
import { concordance, numericErrors } from "./metrics/numeric.ts";
import type { EvalItem } from "./score.ts";

/** Figures of one predictor over the questions of one unit. */
export interface NumberFigures {
  readonly unit: string;
  /** Questions with a readable number whose target is known (not censored). */
  readonly n: number;
  readonly unreadable: number;
  /** Mean absolute error, in the unit. */
  readonly mae: Interval;
  readonly rmse: number;
  /** Null where all targets are equal. */
  readonly r2: number | null;
  /** Harrell's concordance, censored times included; null where no pair can be ordered. */
  readonly concordance: number | null;
}

/** The number of an answer in its question's unit; null where it cannot be read. */
export function numberIn({ parsed_answer }: EvalItem, { target }: Example): number | null {
  return parsed_answer === null || target === undefined ? null : numberOf(parsed_answer.text, target.unit);
}

/** Figures by predictor and unit; null without numeric questions. Numbers are in the examples' order. */
export function numberFigures(
  examples: readonly Example[],
  predictors: Readonly<Record<string, readonly (number | null)[]>>,
): Readonly<Record<string, readonly NumberFigures[]>> | null {
  const asked = examples.flatMap(({ target }, i) => (target === undefined ? [] : [{ i, target }]));
  if (asked.length === 0) return null;
  const units = [...new Set(asked.map(({ target }) => target.unit ?? ""))];
  const figures = Object.entries(predictors).map(([name, numbers]) => {
    const found = units.flatMap((unit): readonly NumberFigures[] => {
      const own = asked.filter(({ target }) => (target.unit ?? "") === unit);
      const read = own.filter(({ i }) => numbers[i] != null);
      const known = read.filter(({ target }) => target.event !== false);
      if (known.length === 0) return [];
      const targets = known.map(({ target }) => target.value);
      const predicted = known.map(({ i }) => numbers[i]!);
      const subjects = known.map(({ i }) => examples[i]!.subjectId);
      const distances = targets.map((target, k) => Math.abs(predicted[k]! - target));
      const { rmse, r2 } = numericErrors(targets, predicted);
      const order = concordance(
        read.map(({ target }) => target.value),
        read.map(({ i }) => numbers[i]!),
        read.map(({ target }) => target.event !== false),
      );
      return [
        {
          ...{ unit, n: known.length, unreadable: own.length - read.length, rmse },
          mae: bootstrapMean(distances, subjects, { resamples: RESAMPLES.report })!,
          r2: Number.isNaN(r2) ? null : r2,
          concordance: Number.isNaN(order) ? null : order,
        },
      ];
    });
    return [name, found] as const;
  });
  return Object.fromEntries(figures);
}

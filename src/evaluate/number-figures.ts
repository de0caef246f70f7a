/** Numeric questions by distance: errors of the model's numbers and of what stands beside it, and their order. */
import { numberOf } from "../answers/number.ts";
import type { Example, NumericTarget } from "../core/records.ts";
import { bootstrapStatistic, type Interval, RESAMPLES } from "./bootstrap.ts";
import { concordance, type NumericErrors, numericErrors } from "./metrics/numeric.ts";
import type { EvalItem } from "./score.ts";

/** Figures of one predictor over the questions of one unit. */
export interface NumberFigures {
  readonly unit: string;
  /** Questions with a readable number whose target is known (not censored). */
  readonly n: number;
  readonly unreadable: number;
  /** Mean absolute error, and the root of the mean squared one, in the unit. */
  readonly mae: Interval;
  readonly rmse: Interval;
  /** Null where all targets are equal. */
  readonly r2: Interval | null;
  /** Mean absolute error relative to targets other than 0, a share; null where all are 0. */
  readonly mape: Interval | null;
  /** Harrell's concordance, censored times included; null where no pair can be ordered. */
  readonly concordance: Interval | null;
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
      const error = (name: keyof NumericErrors) =>
        bootstrapStatistic(subjects, (times) => numericErrors(targets, predicted, times)[name], {
          resamples: RESAMPLES.report,
        });
      return [
        {
          ...{ unit, n: known.length, unreadable: own.length - read.length },
          ...{ mae: error("mae")!, rmse: error("rmse")!, r2: error("r2"), mape: error("mape") },
          concordance: concordanceOf(
            read.map(({ i, target }) => ({ target, predicted: numbers[i]!, subject: examples[i]!.subjectId })),
          ),
        },
      ];
    });
    return [name, found] as const;
  });
  return Object.fromEntries(figures);
}

/** Pairs of rows that all resamples together compare: a large evaluation draws fewer of them, at least a hundred. */
const PAIRS = 3e8;

function concordanceOf(
  rows: readonly { readonly target: NumericTarget; readonly predicted: number; readonly subject: string }[],
): Interval | null {
  const times = rows.map(({ target }) => target.value);
  const predicted = rows.map((row) => row.predicted);
  const events = rows.map(({ target }) => target.event !== false);
  const resamples = Math.min(RESAMPLES.report, Math.max(100, Math.floor(PAIRS / rows.length ** 2)));
  return bootstrapStatistic(
    rows.map(({ subject }) => subject),
    (counts) => concordance(times, predicted, events, counts),
    { resamples },
  );
}

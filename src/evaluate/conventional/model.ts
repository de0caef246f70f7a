/** A conventional classifier: fitted to rows and classes, it gives each row the probabilities of the classes. */
import type { Features } from "./features.ts";

export interface FitInput {
  readonly features: Features;
  /** Class of each row, 0 to `classes` - 1. */
  readonly targets: Int32Array;
  readonly classes: number;
  /** The fold of each row; no subject is in two. */
  readonly folds: Int32Array;
}

/** Probabilities [n, classes], row by row. */
export type Classifier = (rows: Features) => Float64Array;

/** Rows with a number each. */
export interface NumberInput {
  readonly features: Features;
  readonly targets: Float64Array;
  readonly folds: Int32Array;
}

/** One kind of model; hyper-parameters are chosen within, on the folds. */
export interface ConventionalModel {
  readonly about: string;
  classify(input: FitInput): Classifier;
  /** Predicts numbers [n]. */
  regress(input: NumberInput): (rows: Features) => Float64Array;
}

/** Rows outside and inside a fold. */
export function splitBy({ folds }: { readonly folds: Int32Array }, fold: number) {
  const indices = Array.from(folds, (_, i) => i);
  return { outside: indices.filter((i) => folds[i] !== fold), inside: indices.filter((i) => folds[i] === fold) };
}

/** The share of rows whose likeliest class is right. */
export function accuracyOf(probabilities: Float64Array, targets: ArrayLike<number>, classes: number): number {
  let right = 0;
  for (let i = 0; i < targets.length; i++) if (likeliest(probabilities, i, classes) === targets[i]) right++;
  return right / targets.length;
}

/** The class with the largest probability in a row, the first of equal ones. */
export function likeliest(probabilities: Float64Array, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if (probabilities[row * classes + c]! > probabilities[row * classes + best]!) best = c;
  }
  return best;
}

/**
 * Classes one against the rest, or the second against the first of two; rows are scaled to sum to 1. `fitBinary` gets targets
 * 0 and 1 and returns the probability of 1.
 */
export function oneAgainstRest(
  targets: ArrayLike<number>,
  classes: number,
  fitBinary: (targets: Float64Array, index: number) => (rows: Features) => Float64Array,
): Classifier {
  const of = (c: number) =>
    fitBinary(
      Float64Array.from(targets, (target) => (target === c ? 1 : 0)),
      c,
    );
  if (classes === 2) {
    const second = of(1);
    return (rows) => Float64Array.from(Array.from(second(rows)).flatMap((p) => [1 - p, p]));
  }
  const fitted = Array.from({ length: classes }, (_, c) => of(c));
  return (rows) => {
    const columns = fitted.map((one) => one(rows));
    const result = new Float64Array(rows.n * classes);
    for (let i = 0; i < rows.n; i++) {
      const sum = columns.reduce((total, column) => total + column[i]!, 0) || 1;
      for (let c = 0; c < classes; c++) result[i * classes + c] = columns[c]![i]! / sum;
    }
    return result;
  };
}

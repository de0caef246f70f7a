/** Hyper-parameters by cross-validation on folds that no subject is in two of. */
import { type Features, rowsOf } from "./features.ts";
import { accuracyOf, type Classifier, type FitInput, type NumberInput, splitBy } from "./model.ts";

/** The value with the best accuracy over the folds, fitted to all rows; fits that only choose may be `rough`. */
export function chosenClassifier(
  input: FitInput,
  values: readonly number[],
  fitWith: (input: Omit<FitInput, "folds">, value: number, rough: boolean) => Classifier,
): Classifier {
  const { targets, classes, folds } = input;
  const value = chosenOnFolds(input, values, ({ held, outside, fold }, value) => {
    const part = { features: outside, targets: targets.filter((_, i) => folds[i] !== fold), classes };
    const wanted = targets.filter((_, i) => folds[i] === fold);
    return held.n * accuracyOf(fitWith(part, value, true)(held), wanted, classes);
  });
  return fitWith(input, value, false);
}

/** The value with the least squared error over the folds, fitted to all rows. */
export function chosenRegressor(
  input: NumberInput,
  values: readonly number[],
  fitWith: (input: Omit<NumberInput, "folds">, value: number) => (rows: Features) => Float64Array,
): (rows: Features) => Float64Array {
  const { targets, folds } = input;
  const value = chosenOnFolds(input, values, ({ held, outside, fold }, value) => {
    const predicted = fitWith({ features: outside, targets: targets.filter((_, i) => folds[i] !== fold) }, value)(held);
    const wanted = targets.filter((_, i) => folds[i] === fold);
    return -wanted.reduce((sum, target, i) => sum + (predicted[i]! - target) ** 2, 0);
  });
  return fitWith(input, value);
}

interface Fold {
  readonly held: Features;
  readonly outside: Features;
  readonly fold: number;
}

/** The value whose scores sum highest over the folds, the first of equal ones. */
function chosenOnFolds(
  input: { readonly features: Features; readonly folds: Int32Array },
  values: readonly number[],
  score: (fold: Fold, value: number) => number,
): number {
  const scores = new Float64Array(values.length);
  for (const fold of new Set(input.folds)) {
    const { outside, inside } = splitBy(input, fold);
    if (outside.length === 0 || inside.length === 0) continue;
    const held = rowsOf(input.features, inside);
    const part = { held, outside: rowsOf(input.features, outside), fold };
    for (const [v, value] of values.entries()) scores[v]! += score(part, value);
  }
  return values[scores.indexOf(Math.max(...scores))]!;
}

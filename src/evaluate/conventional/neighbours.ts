/** k nearest neighbours: shares of classes, or means of numbers, among the k most similar training rows. */
import type { Features } from "./features.ts";
import { type Classifier, type FitInput, likeliest, type NumberInput } from "./model.ts";
import { nearestRows } from "./nearest-rows.ts";

/**
 * For each row, the shares of the classes 0 to `classes` - 1 among its k nearest training rows by the cosine of their
 * features, ties to the first; [n, classes] row by row.
 */
export function neighbourShares(
  train: Features,
  targets: ArrayLike<number>,
  classes: number,
  rows: Features,
  k: number,
): Float64Array {
  return sharesOf(nearestRows(train, rows, k), targets, classes, k);
}

/** For each row, the mean of the numbers of its k nearest training rows. */
export function neighbourMeans(train: Features, targets: ArrayLike<number>, rows: Features, k: number): Float64Array {
  return meansOf(nearestRows(train, rows, k), targets, k);
}

/** Neighbours with the k, of those given, that is right most often over the folds. */
export function neighbourClassifier(
  { features, targets, classes, folds }: FitInput,
  values: readonly number[],
): Classifier {
  const k = bestOf(features, folds, values, (nearest, k) => {
    const shares = sharesOf(nearest, targets, classes, k);
    return (i) => (likeliest(shares, i, classes) === targets[i] ? 1 : 0);
  });
  return (rows) => neighbourShares(features, targets, classes, rows, k);
}

/** Neighbours with the k, of those given, that has the least squared error over the folds. */
export function neighbourRegressor(
  { features, targets, folds }: NumberInput,
  values: readonly number[],
): (rows: Features) => Float64Array {
  const k = bestOf(features, folds, values, (nearest, k) => {
    const means = meansOf(nearest, targets, k);
    return (i) => -((means[i]! - targets[i]!) ** 2);
  });
  return (rows) => neighbourMeans(features, targets, rows, k);
}

/**
 * The value of k whose scores sum highest over the rows, each by its neighbours in other folds, the first of equal ones. The
 * neighbours are searched once for all values and folds.
 */
function bestOf(
  features: Features,
  folds: Int32Array,
  values: readonly number[],
  scorer: (nearest: Neighbours, k: number) => (row: number) => number,
): number {
  const nearest = nearestRows(features, features, Math.max(...values), folds);
  const known = Array.from(folds, (_, i) => i).filter((i) => nearest[i]!.length > 0);
  const scores = values.map((k) => {
    const score = scorer(nearest, k);
    return known.reduce((sum, i) => sum + score(i), 0);
  });
  return values[scores.indexOf(Math.max(...scores))]!;
}

/** Indices of training rows for each row, the most similar first. */
type Neighbours = readonly Int32Array[];

function sharesOf(nearest: Neighbours, targets: ArrayLike<number>, classes: number, k: number): Float64Array {
  const shares = new Float64Array(nearest.length * classes);
  for (const [r, all] of nearest.entries()) {
    const own = all.subarray(0, k);
    for (const i of own) shares[r * classes + targets[i]!]! += 1 / own.length;
  }
  return shares;
}

function meansOf(nearest: Neighbours, targets: ArrayLike<number>, k: number): Float64Array {
  return Float64Array.from(nearest, (all) => {
    const own = all.subarray(0, k);
    return own.reduce((sum, i) => sum + targets[i]!, 0) / own.length;
  });
}

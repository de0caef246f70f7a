/** k nearest neighbours: shares of classes, or means of numbers, among the k most similar training rows. */
import type { Features, SparseRow } from "./features.ts";

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
  const shares = new Float64Array(rows.n * classes);
  for (const [r, nearest] of nearestRows(train, rows, k).entries()) {
    for (const i of nearest) shares[r * classes + targets[i]!]! += 1 / nearest.length;
  }
  return shares;
}

/** For each row, the mean of the numbers of its k nearest training rows. */
export function neighbourMeans(train: Features, targets: ArrayLike<number>, rows: Features, k: number): Float64Array {
  return Float64Array.from(nearestRows(train, rows, k), (nearest) => {
    return nearest.reduce((sum, i) => sum + targets[i]!, 0) / nearest.length;
  });
}

/** The k most similar training rows of each row, the most similar first. */
function nearestRows(train: Features, rows: Features, k: number): readonly (readonly number[])[] {
  const lengths = Float64Array.from({ length: train.n }, (_, i) => Math.sqrt(product(train, i, train, i)) || 1);
  return Array.from({ length: rows.n }, (_, r) => {
    const alike = Float64Array.from({ length: train.n }, (_, i) => product(train, i, rows, r) / lengths[i]!);
    return Array.from(alike, (_, i) => i)
      .sort((a, b) => alike[b]! - alike[a]! || a - b)
      .slice(0, k);
  });
}

/** The inner product of row i of one and row j of another. */
function product(a: Features, i: number, b: Features, j: number): number {
  let sum = 0;
  for (let c = 0; c < a.width; c++) sum += a.dense[i * a.width + c]! * b.dense[j * b.width + c]!;
  return sum + sparseProduct(a.sparse[i]!, b.sparse[j]!);
}

/** Columns of both rows rise. */
function sparseProduct(a: SparseRow, b: SparseRow): number {
  let [sum, x, y] = [0, 0, 0];
  while (x < a.columns.length && y < b.columns.length) {
    const difference = a.columns[x]! - b.columns[y]!;
    if (difference === 0) sum += a.values[x++]! * b.values[y++]!;
    else if (difference < 0) x++;
    else y++;
  }
  return sum;
}

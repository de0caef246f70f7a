/** The search for the most similar rows: every pair is looked at once, the sparse columns by lists of the rows that have them. */
import type { Features } from "./features.ts";

/**
 * For each row, the indices of its k nearest training rows by the cosine of their features, the most similar first, of equal
 * ones the first; fewer where there are fewer. With `folds`, rows are the training rows themselves, and those of a row's own
 * fold are left out.
 */
export function nearestRows(
  train: Features,
  rows: Features,
  k: number,
  folds: Int32Array | null = null,
): readonly Int32Array[] {
  const lists = rowsByColumn(train);
  const scales = Float64Array.from({ length: train.n }, (_, i) => 1 / (lengthOf(train, i) || 1));
  const [dense, sparse] = [new Float64Array(train.n), new Float64Array(train.n)];
  return Array.from({ length: rows.n }, (_, r) => {
    sparse.fill(0);
    const { columns, values } = rows.sparse[r]!;
    for (const [c, column] of columns.entries()) {
      const value = values[c]!;
      const { indices, weights } = lists.get(column) ?? EMPTY;
      for (let at = 0; at < indices.length; at++) sparse[indices[at]!]! += value * weights[at]!;
    }
    denseProducts(train, rows, r, dense);
    return largest(train, k, (i) => {
      if (folds !== null && folds[i] === folds[r]) return Number.NaN;
      return (dense[i]! + sparse[i]!) * scales[i]!;
    });
  });
}

/** The rows with the k largest values, the largest first, of equal ones the first; those whose value is NaN are left out. */
function largest({ n }: Features, k: number, similarityTo: (i: number) => number): Int32Array {
  const indices = new Int32Array(k);
  const values = new Float64Array(k);
  let found = 0;
  for (let i = 0; i < n; i++) {
    const value = similarityTo(i);
    if (Number.isNaN(value) || (found === k && value <= values[k - 1]!)) continue;
    let at = found < k ? found++ : k - 1;
    for (; at > 0 && values[at - 1]! < value; at--) {
      values[at] = values[at - 1]!;
      indices[at] = indices[at - 1]!;
    }
    values[at] = value;
    indices[at] = i;
  }
  return indices.subarray(0, found);
}

interface ColumnRows {
  readonly indices: Int32Array;
  readonly weights: Float64Array;
}

const EMPTY: ColumnRows = { indices: new Int32Array(0), weights: new Float64Array(0) };

/** For each sparse column, the rows that have it and their values there. */
function rowsByColumn({ sparse }: Features): ReadonlyMap<number, ColumnRows> {
  const lists = new Map<number, { readonly indices: number[]; readonly weights: number[] }>();
  for (const [i, { columns, values }] of sparse.entries()) {
    for (const [c, column] of columns.entries()) {
      const list = lists.get(column) ?? { indices: [], weights: [] };
      list.indices.push(i);
      list.weights.push(values[c]!);
      lists.set(column, list);
    }
  }
  const packed = ({ indices, weights }: { readonly indices: number[]; readonly weights: number[] }): ColumnRows => {
    return { indices: Int32Array.from(indices), weights: Float64Array.from(weights) };
  };
  return new Map([...lists].map(([column, list]) => [column, packed(list)] as const));
}

function lengthOf(features: Features, i: number): number {
  const squared = features.sparse[i]!.values.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(denseProduct(features, i, features, i) + squared);
}

/** The inner products of row r with every training row, four at a time so that no sum waits for its last addition. */
function denseProducts({ n, width, dense }: Features, rows: Features, r: number, products: Float64Array): void {
  const row = rows.dense.subarray(r * width, (r + 1) * width);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const [b, c, d] = [(i + 1) * width, (i + 2) * width, (i + 3) * width];
    const a = i * width;
    let [first, second, third, fourth] = [0, 0, 0, 0];
    for (let j = 0; j < width; j++) {
      const value = row[j]!;
      first += dense[a + j]! * value;
      second += dense[b + j]! * value;
      third += dense[c + j]! * value;
      fourth += dense[d + j]! * value;
    }
    products[i] = first;
    products[i + 1] = second;
    products[i + 2] = third;
    products[i + 3] = fourth;
  }
  for (; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += dense[i * width + j]! * row[j]!;
    products[i] = sum;
  }
}

/** The inner product of the dense parts of row i of one and row j of another. */
function denseProduct(a: Features, i: number, b: Features, j: number): number {
  const { width } = a;
  const [x, y] = [i * width, j * width];
  let sum = 0;
  for (let c = 0; c < width; c++) sum += a.dense[x + c]! * b.dense[y + c]!;
  return sum;
}

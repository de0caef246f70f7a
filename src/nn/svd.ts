/**
 * The best approximation of a matrix by one of low rank: singular values and vectors by subspace iteration (Halko,
 * Martinsson and Tropp, arXiv 0909.4061), exact where the matrix itself is small or of low rank. Float64 throughout.
 */
import { normal, randomKey } from "../core/random.ts";

/** matrix ≈ B A, with B [rows, rank] and A [rank, columns]; both carry the square roots of the singular values. */
export interface LowRank {
  readonly b: Float64Array;
  readonly a: Float64Array;
  /** Of the kept directions, falling. */
  readonly singularValues: readonly number[];
  /** Frobenius norm of what is left out. */
  readonly lost: number;
}

/** Directions beside those that are kept, so that the last of them converges too. */
const OVERSAMPLED = 8;
/** Rounds of the iteration; the error falls by (σ of the first direction left out ÷ σ)² in each. */
const ROUNDS = 8;

/** The nearest matrix of rank `rank` to one of `rows` x `columns`, row-major, by its factors. */
export function truncate(matrix: ArrayLike<number>, rows: number, columns: number, rank: number): LowRank {
  const width = Math.min(rank + OVERSAMPLED, rows, columns);
  const key = randomKey(0, "svd");
  const random = vectors(width, columns, (k, j) => normal(key, k * columns + j));
  let left = orthonormal(timesColumns(matrix, rows, columns, random));
  for (let round = 0; round < ROUNDS; round++) {
    left = orthonormal(timesColumns(matrix, rows, columns, orthonormal(timesRows(matrix, columns, left))));
  }
  const { values, rotation, right } = jacobi(timesRows(matrix, columns, left));
  const kept = Math.min(rank, width);
  const b = new Float64Array(rows * rank);
  const a = new Float64Array(rank * columns);
  for (let k = 0; k < kept; k++) {
    const root = Math.sqrt(values[k]!);
    const sign = Math.sign(largest(right[k]!)) || 1;
    for (let j = 0; j < columns; j++) a[k * columns + j] = sign * root * right[k]![j]!;
    for (const [i, vector] of left.entries()) {
      const factor = sign * root * rotation[k]![i]!;
      for (let row = 0; row < rows; row++) b[row * rank + k]! += factor * vector[row]!;
    }
  }
  const singularValues = values.slice(0, kept);
  let whole = 0;
  for (let i = 0; i < matrix.length; i++) whole += matrix[i]! ** 2;
  const lost = Math.sqrt(
    Math.max(
      0,
      singularValues.reduce((rest, value) => rest - value ** 2, whole),
    ),
  );
  return { b, a, singularValues, lost };
}

function vectors(count: number, length: number, value: (k: number, j: number) => number): Float64Array[] {
  return Array.from({ length: count }, (_, k) => Float64Array.from({ length }, (_, j) => value(k, j)));
}

/** M x for each x [columns]. */
function timesColumns(matrix: ArrayLike<number>, rows: number, columns: number, list: readonly Float64Array[]) {
  return vectors(list.length, rows, (k, row) => {
    const x = list[k]!;
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += matrix[row * columns + j]! * x[j]!;
    return sum;
  });
}

/** Mᵀ y for each y [rows]. */
function timesRows(matrix: ArrayLike<number>, columns: number, list: readonly Float64Array[]): Float64Array[] {
  return list.map((y) => {
    const x = new Float64Array(columns);
    for (const [row, factor] of y.entries()) {
      if (factor !== 0) for (let j = 0; j < columns; j++) x[j]! += factor * matrix[row * columns + j]!;
    }
    return x;
  });
}

/** Gram-Schmidt, twice for the sake of rounding; a vector that depends on earlier ones becomes zero. */
function orthonormal(list: Float64Array[]): Float64Array[] {
  for (const [k, vector] of list.entries()) {
    const before = norm(vector);
    for (let pass = 0; pass < 2; pass++) {
      for (const earlier of list.slice(0, k)) addTo(vector, earlier, -dot(vector, earlier));
    }
    const length = norm(vector);
    const scale = length > 1e-12 * before && length > 0 ? 1 / length : 0;
    for (let j = 0; j < vector.length; j++) vector[j]! *= scale;
  }
  return list;
}

/**
 * One-sided Jacobi: rotates the vectors until they are orthogonal to each other. Gives their lengths, falling, their
 * directions, and as `rotation` how each is made of the given vectors.
 */
function jacobi(list: Float64Array[]) {
  const count = list.length;
  const rotation = vectors(count, count, (k, i) => (k === i ? 1 : 0));
  for (let sweep = 0, moved = true; moved && sweep < 60; sweep++) {
    moved = false;
    for (let p = 0; p < count; p++) {
      for (let q = p + 1; q < count; q++) moved = rotate(list, rotation, p, q) || moved;
    }
  }
  const order = Array.from({ length: count }, (_, k) => k).sort((p, q) => norm(list[q]!) - norm(list[p]!));
  const values = order.map((k) => norm(list[k]!));
  return {
    values,
    rotation: order.map((k) => rotation[k]!),
    right: order.map((k, i) => list[k]!.map((value) => (values[i] === 0 ? 0 : value / values[i]!))),
  };
}

/** Makes two vectors orthogonal; whether they were not. */
function rotate(list: readonly Float64Array[], rotation: readonly Float64Array[], p: number, q: number): boolean {
  const [x, y] = [list[p]!, list[q]!];
  const [alpha, beta, gamma] = [dot(x, x), dot(y, y), dot(x, y)];
  if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) return false;
  const zeta = (beta - alpha) / (2 * gamma);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const c = 1 / Math.sqrt(1 + t * t);
  for (const [u, v] of [
    [x, y],
    [rotation[p]!, rotation[q]!],
  ] as const) {
    for (let j = 0; j < u.length; j++) {
      const first = u[j]!;
      u[j] = c * (first - t * v[j]!);
      v[j] = c * (t * first + v[j]!);
    }
  }
  return true;
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += x[j]! * y[j]!;
  return sum;
}

function norm(x: Float64Array): number {
  return Math.sqrt(dot(x, x));
}

function addTo(x: Float64Array, y: Float64Array, factor: number): void {
  for (let j = 0; j < x.length; j++) x[j]! += factor * y[j]!;
}

function largest(x: Float64Array): number {
  return x.reduce((found, value) => (Math.abs(value) > Math.abs(found) ? value : found), 0);
}

/**
 * Binary logistic regression with an L2 penalty, by iteratively reweighted least squares: Newton steps whose linear
 * systems are solved by conjugate gradients, so that thousands of sparse features cost no matrix of their square.
 */
import type { Features } from "./features.ts";

/** Weights with the bias first: [1 + width + sparseWidth]. */
export interface Logistic {
  readonly weights: Float64Array;
}

const MAX_STEPS = 100;
const MAX_SOLVES = 2000;
/** The largest component of the gradient at the end. */
const TOLERANCE = 1e-9;

/**
 * Minimises sum of the rows' log losses + l2/2 · |w|² over weights and an unpenalised bias, as scikit-learn's
 * LogisticRegression with C = 1/l2. Targets are 0 or 1. With l2 above 0 the minimum is unique.
 */
export function fitLogistic(features: Features, targets: ArrayLike<number>, l2: number): Logistic {
  const size = 1 + features.width + features.sparseWidth;
  const weights = new Float64Array(size);
  let loss = lossAt(features, targets, weights, l2);
  for (let step = 0; step < MAX_STEPS; step++) {
    const margins = marginsOf(features, weights);
    const probabilities = margins.map(sigmoid);
    const gradient = transposed(
      features,
      probabilities.map((p, i) => p - targets[i]!),
    );
    for (let j = 1; j < size; j++) gradient[j]! += l2 * weights[j]!;
    if (Math.max(...absolute(gradient)) < TOLERANCE) break;
    const curvature = probabilities.map((p) => Math.max(p * (1 - p), 1e-12));
    const direction = solve((v) => hessianTimes(features, curvature, v, l2), gradient);
    // A full Newton step, halved until the loss falls: far from the minimum it can overshoot.
    let scale = 1;
    for (; scale > 1e-10; scale /= 2) {
      const tried = weights.map((w, j) => w - scale * direction[j]!);
      const triedLoss = lossAt(features, targets, tried, l2);
      if (triedLoss <= loss + 1e-12 * Math.abs(loss)) {
        weights.set(tried);
        loss = triedLoss;
        break;
      }
    }
    if (scale <= 1e-10) break;
  }
  return { weights };
}

/** Probability of target 1 for each row. */
export function logisticProbabilities({ weights }: Logistic, features: Features): Float64Array {
  return marginsOf(features, weights).map(sigmoid);
}

/** The largest component of the penalised gradient, which is 0 at the minimum. */
export function logisticGradient(model: Logistic, features: Features, targets: ArrayLike<number>, l2: number): number {
  const gradient = transposed(
    features,
    logisticProbabilities(model, features).map((p, i) => p - targets[i]!),
  );
  for (let j = 1; j < gradient.length; j++) gradient[j]! += l2 * model.weights[j]!;
  return Math.max(...absolute(gradient));
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** X w, with the bias. */
function marginsOf({ n, width, dense, sparse }: Features, weights: Float64Array): Float64Array {
  const margins = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = weights[0]!;
    for (let j = 0; j < width; j++) sum += dense[i * width + j]! * weights[1 + j]!;
    const { columns, values } = sparse[i]!;
    for (let c = 0; c < columns.length; c++) sum += values[c]! * weights[1 + width + columns[c]!]!;
    margins[i] = sum;
  }
  return margins;
}

/** Xᵀ r, with the bias first. */
function transposed({ n, width, dense, sparse, sparseWidth }: Features, residuals: Float64Array): Float64Array {
  const sums = new Float64Array(1 + width + sparseWidth);
  for (let i = 0; i < n; i++) {
    const r = residuals[i]!;
    if (r === 0) continue;
    sums[0]! += r;
    for (let j = 0; j < width; j++) sums[1 + j]! += dense[i * width + j]! * r;
    const { columns, values } = sparse[i]!;
    for (let c = 0; c < columns.length; c++) sums[1 + width + columns[c]!]! += values[c]! * r;
  }
  return sums;
}

function hessianTimes(features: Features, curvature: Float64Array, v: Float64Array, l2: number): Float64Array {
  const result = transposed(
    features,
    marginsOf(features, v).map((margin, i) => margin * curvature[i]!),
  );
  for (let j = 1; j < v.length; j++) result[j]! += l2 * v[j]!;
  return result;
}

/** Conjugate gradients for a positive definite product. */
function solve(times: (v: Float64Array) => Float64Array, right: Float64Array): Float64Array {
  const x = new Float64Array(right.length);
  const residual = Float64Array.from(right);
  const direction = Float64Array.from(right);
  let squared = dot(residual, residual);
  const enough = 1e-24 * Math.max(squared, 1e-12);
  for (let i = 0; i < MAX_SOLVES && squared > enough; i++) {
    const product = times(direction);
    const step = squared / dot(direction, product);
    for (let j = 0; j < x.length; j++) {
      x[j]! += step * direction[j]!;
      residual[j]! -= step * product[j]!;
    }
    const next = dot(residual, residual);
    for (let j = 0; j < x.length; j++) direction[j] = residual[j]! + (next / squared) * direction[j]!;
    squared = next;
  }
  return x;
}

function lossAt(features: Features, targets: ArrayLike<number>, weights: Float64Array, l2: number): number {
  const margins = marginsOf(features, weights);
  let loss = 0;
  for (let i = 0; i < margins.length; i++) {
    const signed = targets[i] === 1 ? margins[i]! : -margins[i]!;
    loss += signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed;
  }
  for (let j = 1; j < weights.length; j++) loss += (l2 / 2) * weights[j]! ** 2;
  return loss;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function absolute(values: Float64Array): Float64Array {
  return values.map(Math.abs);
}

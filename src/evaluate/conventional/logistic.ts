/**
 * Binary logistic regression with an L2 penalty, by iteratively reweighted least squares: Newton steps whose linear
 * systems are solved by conjugate gradients, so that thousands of sparse features cost no matrix of their square.
 */
import { conjugateGradients } from "./conjugate-gradients.ts";
import { type Features, productsOf, transposedProducts, weighedProducts } from "./features.ts";

/** Weights with the bias first: [1 + width + sparseWidth]. */
export interface Logistic {
  readonly weights: Float64Array;
}

const MAX_STEPS = 100;
/** The largest component of the gradient at the end. */
const TOLERANCE = 1e-9;
/** The same for fits that only choose a penalty: their accuracy is settled long before (ours). */
const ROUGH_TOLERANCE = 1e-2;

export interface LogisticOptions {
  /** Stop far from the minimum, where only the accuracy is asked for. */
  readonly rough?: boolean;
  /** Weights to begin with; default 0. */
  readonly start?: Float64Array | undefined;
}

/**
 * Minimises sum of the rows' log losses + l2/2 · |w|² over weights and an unpenalised bias, as scikit-learn's
 * LogisticRegression with C = 1/l2. Targets are 0 or 1. With l2 above 0 the minimum is unique.
 */
export function fitLogistic(
  features: Features,
  targets: ArrayLike<number>,
  l2: number,
  { rough = false, start }: LogisticOptions = {},
): Logistic {
  const size = 1 + features.width + features.sparseWidth;
  const weights = start === undefined ? new Float64Array(size) : Float64Array.from(start);
  const tolerance = rough ? ROUGH_TOLERANCE : TOLERANCE;
  let loss = lossAt(features, targets, weights, l2);
  for (let step = 0; step < MAX_STEPS; step++) {
    const margins = productsOf(features, weights);
    const probabilities = margins.map(sigmoid);
    const gradient = transposedProducts(
      features,
      probabilities.map((p, i) => p - targets[i]!),
    );
    for (let j = 1; j < size; j++) gradient[j]! += l2 * weights[j]!;
    const steepest = largest(gradient);
    if (steepest < tolerance) break;
    const curvature = probabilities.map((p) => Math.max(p * (1 - p), 1e-12));
    // Far from the minimum a rough direction does; near it the steps grow exact, so that they converge as Newton's.
    const relative = Math.min(0.1, Math.sqrt(steepest));
    const direction = conjugateGradients((v) => hessianTimes(features, curvature, v, l2), gradient, relative);
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
  return productsOf(features, weights).map(sigmoid);
}

/** The largest component of the penalised gradient, which is 0 at the minimum. */
export function logisticGradient(model: Logistic, features: Features, targets: ArrayLike<number>, l2: number): number {
  const gradient = transposedProducts(
    features,
    logisticProbabilities(model, features).map((p, i) => p - targets[i]!),
  );
  for (let j = 1; j < gradient.length; j++) gradient[j]! += l2 * model.weights[j]!;
  return largest(gradient);
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

function hessianTimes(features: Features, curvature: Float64Array, v: Float64Array, l2: number): Float64Array {
  const result = weighedProducts(features, curvature, v);
  for (let j = 1; j < v.length; j++) result[j]! += l2 * v[j]!;
  return result;
}

function lossAt(features: Features, targets: ArrayLike<number>, weights: Float64Array, l2: number): number {
  const margins = productsOf(features, weights);
  let loss = 0;
  for (let i = 0; i < margins.length; i++) {
    const signed = targets[i] === 1 ? margins[i]! : -margins[i]!;
    loss += signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed;
  }
  for (let j = 1; j < weights.length; j++) loss += (l2 / 2) * weights[j]! ** 2;
  return loss;
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

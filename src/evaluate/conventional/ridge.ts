/** Linear regression with an L2 penalty on weights (not on the bias), by conjugate gradients on the normal equations. */
import { conjugateGradients } from "./conjugate-gradients.ts";
import type { Features } from "./features.ts";
import { transposedProducts, weighedProducts } from "./features.ts";

/** Weights with the bias first. Minimises sum of squared errors + l2 · |w|². */
export function fitRidge(features: Features, targets: ArrayLike<number>, l2: number): Float64Array {
  const right = transposedProducts(features, Float64Array.from(targets));
  const ones = new Float64Array(features.n).fill(1);
  return conjugateGradients((v) => {
    const result = weighedProducts(features, ones, v);
    for (let j = 1; j < v.length; j++) result[j]! += l2 * v[j]!;
    return result;
  }, right);
}

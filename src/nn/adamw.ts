/** AdamW (arXiv 1711.05101) on plain arrays, in place, as torch.optim.AdamW computes it. */
import type { AdamWFactors, VectorKernels } from "./vector-kernels.ts";

export interface AdamWOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** First and second moments of one parameter. */
export interface AdamWState {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** One update; `step` counts from 1, `gradientScale` multiplies the gradient (clipping). */
export function adamWStep(
  kernels: VectorKernels,
  parameter: Float32Array,
  gradient: Float32Array,
  { first, second }: AdamWState,
  o: AdamWOptions,
  step: number,
  gradientScale: number,
): void {
  kernels.updateAdamW([parameter, gradient, first, second], updateFactors(o, step, gradientScale));
}

/** The scalars of one update. */
export function updateFactors(o: AdamWOptions, step: number, gradientScale: number): AdamWFactors {
  const { learningRate, beta1, beta2, epsilon } = o;
  return {
    gradientScale,
    beta1,
    oneLessBeta1: 1 - beta1,
    beta2,
    oneLessBeta2: 1 - beta2,
    keep: 1 - learningRate * o.weightDecay,
    stepSize: learningRate / (1 - beta1 ** step),
    inverseCorrection: 1 / Math.sqrt(1 - beta2 ** step),
    epsilon,
  };
}

/** Global Euclidean norm of all gradients. */
export function globalNorm({ sumOfSquares }: VectorKernels, gradients: Iterable<Float32Array>): number {
  let total = 0;
  for (const gradient of gradients) total += sumOfSquares(gradient);
  return Math.sqrt(total);
}

/**
 * The factor that scales a gradient of this norm to at most `maxNorm` (torch's clip_grad_norm_); `maxNorm` 0 disables
 * clipping.
 */
export function clipScale(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}

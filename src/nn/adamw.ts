/** AdamW (arXiv 1711.05101) on plain arrays, in place, as torch.optim.AdamW computes it. */

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
  parameter: Float32Array,
  gradient: Float32Array,
  { first, second }: AdamWState,
  o: AdamWOptions,
  step: number,
  gradientScale: number,
): void {
  const { learningRate, beta1, beta2, epsilon } = o;
  const keep = 1 - learningRate * o.weightDecay;
  const stepSize = learningRate / (1 - beta1 ** step);
  const inverseCorrection = 1 / Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]! * gradientScale;
    const m = beta1 * first[i]! + (1 - beta1) * g;
    const v = beta2 * second[i]! + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    parameter[i] = parameter[i]! * keep - (stepSize * m) / (Math.sqrt(v) * inverseCorrection + epsilon);
  }
}

/** Euclidean norm of all gradients together. */
export function globalNorm(gradients: Iterable<Float32Array>): number {
  let total = 0;
  for (const gradient of gradients) {
    let own = 0;
    for (let i = 0; i < gradient.length; i++) own += gradient[i]! * gradient[i]!;
    total += own;
  }
  return Math.sqrt(total);
}

/** The factor that brings a gradient of this norm to `maxNorm` at most (torch's clip_grad_norm_); 0 switches it off. */
export function clipScale(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}

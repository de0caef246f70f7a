/** The numbers of one optimiser step, of a model or of what is trained beside it. */

export interface OptimStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Applied to matrices only; norms and biases are never decayed. */
  readonly weightDecay: number;
  /** 0 disables clipping. */
  readonly maxGradNorm: number;
}

export interface OptimResult {
  /** Before clipping. */
  readonly gradNorm: number;
}

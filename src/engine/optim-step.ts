/** The numbers of one optimiser step, of a model or of what is trained beside it. */
import type { UpdateMaskName } from "../nn/update-masks.ts";

export interface OptimStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Applied to matrices only; norms and biases are never decayed. */
  readonly weightDecay: number;
  /** 0 disables clipping. */
  readonly maxGradNorm: number;
  /** Holds the model's own weights to where they were, each as its importance says; adapters are refused. Default none. */
  readonly importanceMasking?: UpdateMaskName;
}

export interface OptimResult {
  /** Before clipping. */
  readonly gradNorm: number;
}

/** How token losses add up to the batch's loss (`loss_type`), as one weight per completion for each of its tokens. */
import type { LossType } from "./algorithm.ts";

export interface TokenWeightOptions {
  readonly lossType: LossType;
  readonly maxCompletionLength: number;
  /** Counted tokens of the whole rollout over its optimiser steps, for dapo; absent: the batch is the rollout. */
  readonly tokensPerStep?: number;
}

/**
 * Weights over one optimiser step's whole batch, so that micro-batches may split it anywhere: grpo 1/(B·T), bnpo 1/ΣT of the
 * step, dapo 1/ΣT of the rollout, dr_grpo 1/(B·max_completion_length); masked completions weigh 0.
 */
export function tokenWeights(
  lengths: readonly number[],
  masked: readonly boolean[],
  { lossType, maxCompletionLength, tokensPerStep }: TokenWeightOptions,
): number[] {
  const batch = lengths.length;
  const counted = lengths.map((length, i) => (masked[i] ? 0 : length));
  const total = Math.max(
    1,
    counted.reduce((a, b) => a + b, 0),
  );
  const weightOf: Readonly<Record<LossType, (length: number) => number>> = {
    grpo: (length) => 1 / (batch * length),
    bnpo: () => 1 / total,
    dapo: () => 1 / (tokensPerStep ?? total),
    dr_grpo: () => 1 / (batch * maxCompletionLength),
  };
  return counted.map((length) => (length === 0 ? 0 : weightOf[lossType](length)));
}

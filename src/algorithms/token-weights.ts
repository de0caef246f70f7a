/** How token losses add up to the batch's loss (`loss_type`), as one weight per completion for each of its tokens. */

/** What a token weighs by the length of its completion and by sums over the batch. */
const weightings = {
  grpo: (length, { batch }) => 1 / (batch * length),
  bnpo: (_, { total }) => 1 / total,
  dapo: (_, { tokensPerStep }) => 1 / tokensPerStep,
  dr_grpo: (_, { batch, maxCompletionLength }) => 1 / (batch * maxCompletionLength),
} satisfies Readonly<Record<string, (length: number, of: BatchSums) => number>>;

/** Completions, counted tokens of the step, and of the rollout per step. */
interface BatchSums {
  readonly batch: number;
  readonly total: number;
  readonly tokensPerStep: number;
  readonly maxCompletionLength: number;
}

export type LossType = keyof typeof weightings;
export const lossTypes = Object.keys(weightings) as [LossType, ...LossType[]];

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
  const sums = { batch, total, tokensPerStep: tokensPerStep ?? total, maxCompletionLength };
  return counted.map((length) => (length === 0 ? 0 : weightings[lossType](length, sums)));
}

/** What an algorithm is: host-side advantages and token weights, and the loss of one token as graph nodes. */
import type { Tensor } from "../compiler/tensor.ts";

export const lossTypes = ["grpo", "bnpo", "dapo", "dr_grpo"] as const;
export type LossType = (typeof lossTypes)[number];
export const rewardScalings = ["group", "batch", "none"] as const;
export type RewardScaling = (typeof rewardScalings)[number];
export const klEstimators = ["k1", "k2", "k3"] as const;
export type KlEstimator = (typeof klEstimators)[number];

/** What of the options changes the graph of the token loss. */
export interface TokenLossVariant {
  /** The batch was sampled from the very weights that are differentiated: the ratio is 1 by construction. */
  readonly onPolicy: boolean;
  /** null: no KL term, no reference. */
  readonly klEstimator: KlEstimator | null;
}

/** Numbers of the token loss, fed as scalars: changing them compiles nothing. */
export interface TokenLossNumbers {
  readonly beta: number;
  /** The ratio is clipped to [1 − epsilonLow, 1 + epsilonHigh]. */
  readonly epsilonLow: number;
  readonly epsilonHigh: number;
  /** Cap of the unclipped ratio; Infinity for none. */
  readonly delta: number;
}

/** Per-token tensors [tokens] and scalars of the loss. */
export interface TokenTerms {
  readonly logProb: Tensor;
  readonly oldLogProb: Tensor;
  readonly refLogProb: Tensor;
  readonly advantage: Tensor;
  readonly beta: Tensor;
  readonly epsilonLow: Tensor;
  readonly epsilonHigh: Tensor;
  readonly delta: Tensor;
}

export type TokenLossName = "supervised" | "clipped";

/** A token loss that the engine can compile: [tokens] terms to [tokens] losses. */
export type TokenLoss = (terms: TokenTerms, variant: TokenLossVariant) => Tensor;

export interface AdvantageOptions {
  readonly scaleRewards: RewardScaling;
}

export interface TokenWeightOptions {
  readonly lossType: LossType;
  readonly maxCompletionLength: number;
}

/** A method that learns from its own completions. */
export interface RolloutAlgorithm {
  readonly name: string;
  /** The loss of a token, by its name in the table of token losses. */
  readonly tokenLoss: TokenLossName;
  /** Recipe defaults that make this algorithm what it is. */
  readonly defaults: { readonly lossType: LossType; readonly scaleRewards: RewardScaling };
  /** One advantage per completion of every group; rewards of null get 0 and count in no statistic. */
  advantages(rewards: readonly (readonly (number | null)[])[], o: AdvantageOptions): readonly (readonly number[])[];
  /** One weight per completion, for each of its tokens, so that the loss is Σ weight x token loss over the batch. */
  tokenWeights(lengths: readonly number[], masked: readonly boolean[], o: TokenWeightOptions): readonly number[];
}

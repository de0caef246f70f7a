/** What an algorithm is: a choice of advantage, token loss, ratio and average; and what each of those is. */
import type { Tensor } from "../compiler/tensor.ts";

export const lossTypes = ["grpo", "bnpo", "dapo", "dr_grpo"] as const;
export type LossType = (typeof lossTypes)[number];
export const rewardScalings = ["group", "batch", "none"] as const;
export type RewardScaling = (typeof rewardScalings)[number];
export const klEstimators = ["k1", "k2", "k3"] as const;
export type KlEstimator = (typeof klEstimators)[number];
export const importanceSamplingLevels = ["token", "sequence"] as const;
export type ImportanceSamplingLevel = (typeof importanceSamplingLevels)[number];
export const policyLossNames = ["clip", "cispo", "sapo", "reinforce"] as const;
export type PolicyLossName = (typeof policyLossNames)[number];
export const advantageNames = ["group_relative", "rloo", "opo", "multi_objective"] as const;
export type AdvantageName = (typeof advantageNames)[number];

/** What of the options changes the graph of the token loss. */
export interface TokenLossVariant {
  /** The batch was sampled from the very weights that are differentiated: the ratio is 1 by construction. */
  readonly onPolicy: boolean;
  /** Off policy: a token's own ratio, or its completion's geometric mean for every token of it. */
  readonly level: ImportanceSamplingLevel;
  /** null: no KL term, no reference. */
  readonly klEstimator: KlEstimator | null;
  /** Subtracts the completions' `entropyWeight` times the entropy at each token. */
  readonly entropyBonus: boolean;
}

/** On policy, no KL term, no entropy bonus. */
export const plainVariant: TokenLossVariant = {
  onPolicy: true,
  level: "token",
  klEstimator: null,
  entropyBonus: false,
};

/** Numbers of the token loss, fed as scalars: changing them compiles nothing. */
export interface TokenLossNumbers {
  readonly beta: number;
  /** clip: the ratio is clipped to [1 − epsilonLow, 1 + epsilonHigh]; cispo: epsilonHigh is the ratio's cap. */
  readonly epsilonLow: number;
  readonly epsilonHigh: number;
  /** clip: cap of the unclipped ratio; Infinity for none. */
  readonly delta: number;
  /** sapo: temperatures of the gate for positive and for other advantages. */
  readonly temperaturePositive: number;
  readonly temperatureNegative: number;
}

export const defaultLossNumbers: TokenLossNumbers = {
  beta: 0,
  epsilonLow: 0.2,
  epsilonHigh: 0.2,
  delta: Number.POSITIVE_INFINITY,
  temperaturePositive: 1,
  temperatureNegative: 1.05,
};

/** Per-token tensors [tokens] that a token loss may read. */
export const tokenColumns = ["oldLogProb", "refLogProb", "sequenceLogRatio", "advantage"] as const;
export type TokenColumn = (typeof tokenColumns)[number];

/**
 * Per-token tensors and scalars of the loss. `sequenceLogRatio`, the completion's mean of logProb − oldLogProb, comes as
 * numbers: one graph sees only some of a completion's tokens.
 */
export type TokenTerms = Readonly<Record<TokenColumn | "logProb" | keyof TokenLossNumbers, Tensor>>;

/** What a policy loss is made of; the ratio carries its gradient. */
export type PolicyTerms = Omit<TokenTerms, TokenColumn> & { readonly ratio: Tensor; readonly advantage: Tensor };

export interface RatioOptions {
  readonly epsilon: number;
  /** null: the loss's own default. */
  readonly epsilonHigh: number | null;
}

/** The epsilons a loss is fed, and the ratios below (A < 0) or above (A > 0) which a token is clipped. */
export interface RatioBounds {
  readonly epsilonLow: number;
  readonly epsilonHigh: number;
  readonly low: number;
  readonly high: number;
}

/** A loss per token that the engine can compile, KL term and entropy bonus aside. */
export interface TokenLoss {
  policyLoss(t: PolicyTerms): Tensor;
  bounds(o: RatioOptions): RatioBounds;
}

/** Of losses that clip nothing. */
export function unbounded(): RatioBounds {
  return { epsilonLow: 0, epsilonHigh: 0, low: 0, high: Number.POSITIVE_INFINITY };
}

export type TokenLossName = "supervised" | PolicyLossName;

/** Rewards of a group's completions, null where none applies. */
export type GroupRewards = readonly (number | null)[];

/** What advantages are computed from. */
export interface ScoredGroup {
  /** Weighted sum per completion. */
  readonly reward: GroupRewards;
  /** By reward name, unweighted. */
  readonly rewards: Readonly<Record<string, GroupRewards>>;
  /** Tokens of each completion. */
  readonly lengths: readonly number[];
}

export interface AdvantageOptions {
  readonly scaleRewards: RewardScaling;
  /** By reward name. */
  readonly rewardWeights: Readonly<Record<string, number>>;
}

export interface AdvantageEstimator {
  /** Whether it reads `scaleRewards`. */
  readonly scales: boolean;
  /** One advantage per completion of every group, the whole batch in view; rewards of null get 0 and count in no statistic. */
  advantages(groups: readonly ScoredGroup[], o: AdvantageOptions): readonly (readonly number[])[];
}

/** A method that learns from its own completions: what a recipe's stage of that kind has for defaults. */
export interface RolloutAlgorithm {
  readonly name: string;
  readonly defaults: {
    readonly advantage: AdvantageName;
    readonly scaleRewards: RewardScaling;
    readonly tokenLoss: PolicyLossName;
    readonly lossType: LossType;
    readonly importanceSamplingLevel: ImportanceSamplingLevel;
    readonly epsilon: number;
    readonly epsilonHigh: number | null;
    /** Replaces groups of equal rewards by fresh prompts (dynamic sampling). */
    readonly filterGroups: boolean;
  };
}

/** What the parts of an algorithm are, advantage estimators and token losses, each beside the options that are its own. */
import type * as z from "zod";
import type { Tensor } from "../compiler/tensor.ts";
import type { TokenStat, TokenValues } from "../core/records.ts";
import type { KlEstimator } from "./kl.ts";

export const importanceSamplingLevels = ["token", "sequence"] as const;
export type ImportanceSamplingLevel = (typeof importanceSamplingLevels)[number];

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

/** Per-token tensors [tokens] that a token loss may read. */
export const tokenColumns = ["oldLogProb", "refLogProb", "sequenceLogRatio", "advantage"] as const;
export type TokenColumn = (typeof tokenColumns)[number];

/**
 * Per-token tensors, beta, and the numbers of all token losses as scalars. `sequenceLogRatio`, the completion's mean of
 * logProb − oldLogProb, comes as numbers: one graph sees only some of a completion's tokens.
 */
export type TokenTerms = Readonly<Record<TokenColumn | "logProb" | "beta", Tensor>> & Readonly<Record<string, Tensor>>;

/** What a policy loss is made of, its own numbers among it; the ratio carries its gradient. */
export type PolicyTerms<Numbers extends string> = Readonly<Record<"logProb" | "ratio" | "advantage" | Numbers, Tensor>>;

/** The values of options. */
export type OptionValues<Options extends z.ZodRawShape> = { readonly [Key in keyof Options]: z.output<Options[Key]> };

/** A part of an algorithm that a stage names, and the keys of the stage that are this part's own. */
export interface StagePart<Options extends z.ZodRawShape> {
  /** As recipes spell them, with defaults. A key that two parts share is one schema. */
  readonly options: Options;
  /** Own options that must keep a value where the part is not chosen, lest they seem to act, and what a user is told. */
  readonly idle?: { readonly [Key in keyof Options]?: { readonly value: unknown; readonly error: string } };
  /** What is wrong with options that are right one by one. */
  check?(o: OptionValues<Options>): { readonly key: keyof Options & string; readonly error: string } | null;
}

/** The ratios below (A < 0) or above (A > 0) which a token is clipped. */
export interface RatioBounds {
  readonly low: number;
  readonly high: number;
}

/** Of losses that clip nothing. */
export function unbounded(): RatioBounds {
  return { low: 0, high: Number.POSITIVE_INFINITY };
}

/** A loss per token that the engine can compile, KL term and entropy bonus aside. */
export interface TokenLoss<Options extends z.ZodRawShape = z.ZodRawShape, Numbers extends string = string>
  extends StagePart<Options> {
  /** What its graph is fed as scalars: changing them compiles nothing. */
  numbers(o: OptionValues<Options>): Readonly<Record<Numbers, number>>;
  /** A multiple of the advantage: where that is 0, loss and gradient are, and completions of such tokens are not computed. */
  policyLoss(t: PolicyTerms<Numbers>): Tensor;
  bounds(o: OptionValues<Options>): RatioBounds;
}

/** A token loss, whose types follow from its options and numbers. */
export function defineTokenLoss<Options extends z.ZodRawShape, Numbers extends string>(
  loss: TokenLoss<Options, Numbers>,
): TokenLoss<Options, Numbers> {
  return loss;
}

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
  /** How each completion's question was put, where it was put in several ways. */
  readonly variants?: readonly string[];
  /** What shapers may read of each completion's tokens. */
  readonly tokens?: readonly CompletionTokens[];
}

/** A completion's tokens, beyond their number. */
export interface CompletionTokens {
  /** What the sampler told of each. */
  readonly stats: Readonly<Partial<Record<TokenStat, Float32Array>>>;
  /** The first token of its reasoning, and the one behind the last; both 0 where there is none. */
  rationale(): readonly [start: number, end: number];
  /** What its parts earned of a reward that scores parts, in order. */
  steps(reward: string): readonly TokenStep[];
}

export interface TokenStep {
  /** The part's last token. */
  readonly end: number;
  readonly score: number;
}

export interface AdvantageEstimator<Options extends z.ZodRawShape = z.ZodRawShape> extends StagePart<Options> {
  /**
   * One advantage per completion of every group, the whole batch in view; rewards of null get 0 and count in no statistic.
   * `weights` are those of the rewards, by name.
   */
  advantages(
    groups: readonly ScoredGroup[],
    o: OptionValues<Options>,
    weights: Readonly<Record<string, number>>,
  ): readonly (readonly number[])[];
}

/** An advantage estimator, whose types follow from its options. */
export function defineAdvantage<Options extends z.ZodRawShape>(
  estimator: AdvantageEstimator<Options>,
): AdvantageEstimator<Options> {
  return estimator;
}

/** Advantages after a shaper, and what it reports of the step. */
export interface ShapedAdvantages {
  readonly advantages: readonly (readonly TokenValues[])[];
  /** Metrics of the step. A shaper finds those of the step before in `before`: they are all the state it has. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Changes the estimator's advantages by what is known of tokens; what it gives may differ from token to token. */
export interface AdvantageShaper<Options extends z.ZodRawShape = z.ZodRawShape> extends StagePart<Options> {
  /** What it needs the sampler to tell of each token. */
  readonly stats: readonly TokenStat[];
  /** Its options that name a reward of the stage. */
  readonly rewardKeys?: readonly (keyof Options & string)[];
  /** The whole batch in view. `before` has the metrics of the stage's step before this one; none at its first. */
  shape(
    groups: readonly ScoredGroup[],
    advantages: readonly (readonly number[])[],
    o: OptionValues<Options>,
    before: Readonly<Record<string, number | string>>,
  ): ShapedAdvantages;
}

/** A shaper, whose types follow from its options. */
export function defineShaper<Options extends z.ZodRawShape>(
  shaper: AdvantageShaper<Options>,
): AdvantageShaper<Options> {
  return shaper;
}

/** The four verbs that training needs (sample, forwardBackward, optimStep, save); loops know nothing else of an engine. */

import type { TokenLossVariant } from "../algorithms/algorithm.ts";
import type { TokenLossName, TokenLossNumbers } from "../algorithms/index.ts";
import type { Prompt, RolloutResult, SamplingOptions, TokenStat } from "../core/records.ts";

/** The distribution that completions are scored under: for rollouts, the one they were sampled from. */
export interface LogProbOptions extends Pick<SamplingOptions, "temperature" | "topP" | "topK"> {
  /** Sampling never gives image placeholders; the plain softmax of other tools, and of supervised targets, counts them. */
  readonly allowVisionTokens?: boolean;
}

/** The model's own softmax. */
export const plainScoring: LogProbOptions = { temperature: 1, topP: 1, topK: 0, allowVisionTokens: true };

/** One number for every token of a completion, or as many as it has tokens, in their order. */
export type TokenValues = number | Float32Array;

export interface TrainingCompletion {
  readonly tokenIds: Int32Array;
  /** Weight of each token's loss; 0 where a token is given and not learned from. */
  readonly weight: TokenValues;
  readonly advantage: TokenValues;
  /** Weight of each token's entropy, which a loss with an entropy bonus subtracts; absent: 0. */
  readonly entropyWeight?: TokenValues;
  /** Needed unless the batch is on-policy. */
  readonly oldLogProbs?: Float32Array;
  /** Needed when the loss has a KL term. */
  readonly refLogProbs?: Float32Array;
}

/**
 * Completions of one prompt, which is computed once for all of them. Of a prompt without completions nothing is computed:
 * its gradient is zero, and the update treats the weights that it would have reached as any whose gradient is zero.
 */
export interface TrainingGroup {
  readonly prompt: Prompt;
  readonly completions: readonly TrainingCompletion[];
}

export interface TokenBatch {
  readonly groups: readonly TrainingGroup[];
  readonly scoring: LogProbOptions;
  readonly loss: {
    readonly name: TokenLossName;
    readonly variant: TokenLossVariant;
    readonly numbers: TokenLossNumbers;
  };
}

/** Per completion, in the batch's order: group by group. */
export interface TokenScores {
  readonly logProbs: readonly Float32Array[];
  /** Entropy of the distribution at each token, in nats. */
  readonly entropies: readonly Float32Array[];
}

export interface ForwardBackwardResult extends TokenScores {
  /** Σ weight x token loss − Σ entropyWeight x entropy. */
  readonly loss: number;
  /** The forward pass dropped numbers at random, so that its log-probs are not the sampler's. */
  readonly dropout?: boolean;
}

export interface OptimStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** On matrices only: norms and biases are never decayed. */
  readonly weightDecay: number;
  /** 0 switches clipping off. */
  readonly maxGradNorm: number;
}

export interface OptimResult {
  /** Before clipping. */
  readonly gradNorm: number;
}

export interface Policy {
  sample(prompts: readonly Prompt[], o: SamplingOptions): AsyncIterable<RolloutResult>;
  /** Log-probs of given completions; weights and advantages are not read. */
  logProbs(groups: readonly TrainingGroup[], o: LogProbOptions): Promise<TokenScores>;
}

/** A token of one of a prompt's completions, as soon as it is there. */
export interface LiveToken {
  readonly completion: number;
  readonly tokenId: number;
  /** Natural logarithm, under the distribution it was drawn from. */
  readonly logProb: number;
  /** Where they were asked for. */
  readonly stats?: Readonly<Partial<Record<TokenStat, number>>>;
  /** Of the completion's last token, which is the stop token where one was drawn. */
  readonly finishReason: "stop" | "length" | null;
}

/** Sampling of one prompt; equal to `sample` of this prompt alone at step 0. */
export type LiveOptions = Pick<
  SamplingOptions,
  "numGenerations" | "maxCompletionLength" | "temperature" | "topP" | "seed"
>;

export interface LiveCompletions {
  /** The tokens of all completions as they come; ends when each has ended or was given up. */
  readonly tokens: AsyncIterable<LiveToken>;
  /** Gives up one completion, or all: its row falls free for others. Tokens that were under way may still come. */
  giveUp(completion?: number): void;
}

/** Completions for many callers at once: prompts join and leave while others are decoded, and change nothing for them. */
export interface LivePolicy {
  decode(prompt: Prompt, o: LiveOptions): LiveCompletions;
}

export interface TrainingEngine {
  /** Most tokens that a prompt and its completion may have together. */
  readonly contextLength: number;
  /** Optimiser steps since the engine was opened: equal counts of a time and a later one mean equal weights. */
  readonly updates: number;
  readonly policy: Policy;
  /** Completions for callers that come and go, as a server has them; absent where the engine samples whole batches alone. */
  readonly decode?: LivePolicy["decode"];
  /** The frozen copy that KL terms compare with; null until `freezeReference`. */
  readonly reference: Pick<Policy, "logProbs"> | null;
  /** Adds the batch's gradient to what earlier calls left since the last `optimStep`. */
  forwardBackward(batch: TokenBatch): Promise<ForwardBackwardResult>;
  optimStep(o: OptimStep): Promise<OptimResult>;
  /** Makes the current weights the reference, or drops it. */
  freezeReference(keep: boolean): Promise<void>;
  /** Forgets the optimiser's moments and gradients that were left: a new stage starts fresh. */
  resetOptimizer(): Promise<void>;
  /** Writes weights in Hugging Face layout, and with `training` what an exact resume needs besides. */
  save(folder: string, o: { readonly training: boolean }): Promise<void>;
  /** Restores what `save` with `training` wrote; gradients that were left are forgotten. */
  load(folder: string): Promise<void>;
  close(): Promise<void>;
}

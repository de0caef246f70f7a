/**
 * The four verbs of training (sample, forwardBackward, optimStep, save); training loops depend on nothing else of an
 * engine.
 */

import type { TokenLossVariant } from "../algorithms/algorithm.ts";
import type { TokenLossName, TokenLossNumbers } from "../algorithms/index.ts";
import type {
  ImageFeatures,
  ImageSite,
  Prompt,
  RolloutResult,
  SamplingOptions,
  TokenStat,
  TokenValues,
} from "../core/records.ts";
import type { LoraOptions } from "../models/lora.ts";
import type { AttachmentName } from "../nn/attachments/index.ts";
import type { Attached, AttachmentConfig } from "./attached.ts";
import type { OptimResult, OptimStep } from "./optim-step.ts";

export { type UpdateMaskName, updateMasks } from "../nn/update-masks.ts";
export type { OptimResult, OptimStep } from "./optim-step.ts";

/** The distribution under which completions are scored; for rollouts, the one they were sampled from. */
export interface LogProbOptions extends Pick<SamplingOptions, "temperature" | "topP" | "topK"> {
  /**
   * Sampling never produces image placeholders; the plain softmax of other tools, and of supervised targets, includes
   * them.
   */
  readonly allowVisionTokens?: boolean;
  /** What scores are to tell of tokens beside their log-probs and entropies. */
  readonly tokenStats?: readonly TokenStat[];
}

/** The model's own softmax. */
export const plainScoring: LogProbOptions = { temperature: 1, topP: 1, topK: 0, allowVisionTokens: true };

export interface TrainingCompletion {
  readonly tokenIds: Int32Array;
  /** Weight of each token's loss; 0 for tokens that are context only. */
  readonly weight: TokenValues;
  readonly advantage: TokenValues;
  /** Weight of each token's entropy, which a loss with an entropy bonus subtracts; default 0. */
  readonly entropyWeight?: TokenValues;
  /** Required unless the batch is on-policy. */
  readonly oldLogProbs?: Float32Array;
  /** Required if the loss has a KL term. */
  readonly refLogProbs?: Float32Array;
  /**
   * One per token; absent: all 1. A token of 0 is read and never predicted: it has no loss, its log-prob and entropy are 0,
   * and no length counts it.
   */
  readonly mask?: Uint8Array;
  /** The images whose placeholders are among the tokens, in order; only tokens of mask 0 are placeholders. */
  readonly images?: readonly ImageFeatures[];
}

/**
 * Completions of one prompt, which is computed once for all of them. Of a prompt without completions nothing is computed:
 * its gradient is zero, and the update treats the weights that it would have reached as any whose gradient is zero.
 */
export interface TrainingGroup {
  readonly prompt: Prompt;
  readonly completions: readonly TrainingCompletion[];
  /**
   * What is predicted after each of the prompt's first tokens, one token each: any tokens, not only those that the prompt
   * goes on with. Scored and trained on in place. Its results come before those of the group's completions.
   */
  readonly inPlace?: TrainingCompletion;
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

/** Per completion, group by group in the batch's order; a group's predictions in place come first. */
export interface TokenScores {
  readonly logProbs: readonly Float32Array[];
  /** Entropy of the distribution at each token, in nats; empty where the engine cannot tell. */
  readonly entropies: readonly Float32Array[];
  /** What was asked for by `tokenStats`; only `logProbs` of a policy is asked. */
  readonly stats?: Readonly<Partial<Record<TokenStat, readonly Float32Array[]>>>;
}

export interface ForwardBackwardResult extends TokenScores {
  /** Σ weight x token loss − Σ entropyWeight x entropy. */
  readonly loss: number;
  /** Whether the forward pass used dropout, so that its log-probs differ from the sampler's. */
  readonly dropout?: boolean;
}

/** Why a mask is refused where adapters are trained. */
export function refusesAdapters(mask: string): string {
  return `importance_masking: ${mask} weighs what a model's weights mattered before, and fresh adapters (B is 0, A random) say nothing of that: train all weights, with model.lora: null, or set it to none`;
}

/** Why a mask is refused where weights lie on a device. */
export function refusesDevice(mask: string, device: string): string {
  return `importance_masking: ${mask} is computed on the host, and weights do not leave the device ${device}: compute on the cpu (engine.device: cpu), or set it to none`;
}

export interface Policy {
  sample(prompts: readonly Prompt[], o: SamplingOptions): AsyncIterable<RolloutResult>;
  /** Log-probs of given completions; ignores weights and advantages. */
  logProbs(groups: readonly TrainingGroup[], o: LogProbOptions): Promise<TokenScores>;
  /**
   * A vector of each prompt's images, [language width]: the mean of the vision tower's output over all their tokens, zeros
   * without an image. Throws UserError where the engine has no tower at hand.
   */
  embed(prompts: readonly Prompt[]): Promise<readonly Float32Array[]>;
}

/** A sampled token of one of a prompt's completions, sent as soon as it is available. */
export interface LiveToken {
  readonly completion: number;
  readonly tokenId: number;
  /** Natural-log probability under the distribution it was sampled from. */
  readonly logProb: number;
  /** Where they were asked for. */
  readonly stats?: Readonly<Partial<Record<TokenStat, number>>>;
  /** Of the completion's last token, which is the stop token where one was drawn. */
  readonly finishReason: "stop" | "length" | null;
}

/** Options for sampling one prompt; the result equals that of `sample` for the prompt at `index` of its call. */
export interface LiveOptions
  extends Pick<SamplingOptions, "numGenerations" | "maxCompletionLength" | "temperature" | "topP" | "seed"> {
  /** Default 0. */
  readonly step?: number;
  readonly index?: number;
  /** In place of the model's own; none of them: completions end at their maximum length. */
  readonly stopTokenIds?: readonly number[];
}

export interface LiveCompletions {
  /** The tokens of all completions as they are sampled; ends when every completion has ended or was cancelled. */
  readonly tokens: AsyncIterable<LiveToken>;
  /** Cancels one completion, or all, and frees its row. Tokens already in flight can still arrive. */
  giveUp(completion?: number): void;
}

/**
 * Continuous batching for many callers: prompts join and leave during decoding without affecting each other's results.
 */
export interface LivePolicy {
  decode(prompt: Prompt, o: LiveOptions): LiveCompletions;
}

/** An adapter on an engine's model: fresh by the seed, or from a folder in PEFT's layout. */
export interface AdapterOptions {
  /** null: no adapter, the model's own weights. */
  readonly lora: LoraOptions | null;
  readonly seed: number;
  readonly folder?: string | null;
  /**
   * Whether completions are sampled from a copy of the weights with the adapter merged into it; default true. One such copy
   * is in memory at a time, so adapters that take turns are sampled beside the weights instead.
   */
  readonly merged?: boolean;
}

/** Any number of adapters on one model, each an engine with weights, gradients, moments and samples of its own. */
export interface AdapterHost {
  /**
   * An engine for one adapter; the model's own weights are shared and frozen, and may not be trained meanwhile. Closing it
   * frees the adapter alone. Throws UserError for options that fit no layer and for a folder that does not fit the options.
   */
  open(o: AdapterOptions): Promise<TrainingEngine>;
  /** The adapter of a folder by its own configuration, not merged: any number of them take turns at no cost. */
  load(folder: string): Promise<TrainingEngine>;
  /** The model's own weights, adapters off, whatever this engine itself holds; they are sampled and scored, not trained. */
  base(): Promise<TrainingEngine>;
}

/** Whole completions of one prompt, each read as a whole. */
export interface ScoredCompletions {
  readonly prompt: Prompt;
  readonly completions: readonly Int32Array[];
}

/** What gives every completion one number, read at its last token. */
export interface ScoreHead {
  /** One score per completion, group by group. */
  scores(groups: readonly ScoredCompletions[]): Promise<readonly number[]>;
  /** Accumulates the gradient of a loss whose derivative by each score is given. */
  backward(groups: readonly ScoredCompletions[], gradients: readonly number[]): Promise<void>;
}

/** What soft Q-learning cannot do without. */
export const SOFT_NEEDS =
  "soft_q: policy and critic are adapters on one frozen model: set model.lora, with lora_dropout: 0";

/** A pass of soft Q-learning over completions; weights are those of its loss, advantages the critic's targets. */
export interface SoftBatch {
  readonly groups: readonly TrainingGroup[];
  readonly scoring: LogProbOptions;
  /** Weight of the distance to the frozen model. */
  readonly beta: number;
}

export interface SoftResult extends TokenScores {
  readonly loss: number;
  /** By completion: soft values of the tokens' states, or the critic's values of the tokens. */
  readonly values: readonly Float32Array[];
}

/** One update of policy and critic; the target moves to polyak × target + (1 − polyak) × critic. */
export interface SoftStep {
  readonly policy: OptimStep;
  readonly critic: OptimStep;
  readonly polyak: number;
}

/**
 * A critic beside a policy of adapters: a second adapter on the same frozen model, whose values are its logits less that
 * model's, and a slow copy of it, the target. Both are new, so all values 0, after `resetOptimizer`; they are saved and loaded
 * with the engine.
 */
export interface SoftCritic {
  /** Accumulates the policy's gradient of −V under the target, V against the frozen model; returns V of each token's state. */
  policyPass(batch: SoftBatch): Promise<SoftResult>;
  /** Accumulates the critic's gradient of its Huber loss; returns its values of the tokens, no log-probs. */
  criticPass(batch: SoftBatch): Promise<SoftResult>;
  step(o: SoftStep): Promise<{ readonly policy: OptimResult; readonly critic: OptimResult }>;
}

/** A batch's loss, and its gradients by name: of weights in their shape, of an image's patches, embeddings or tokens in theirs by content hash. */
export interface LossGradients {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** The vision tower by itself. */
export interface VisionTower {
  /** Numbers of one row of `encode`. */
  readonly width: number;
  /** The features [image tokens, width] of each image; with `training`, what `backward` needs is kept. */
  encode(images: readonly ImageFeatures[], o: { readonly training: boolean }): Promise<readonly Float32Array[]>;
  /** Accumulates the tower's gradients from those of the features that the last `encode` with `training` gave. */
  backward(gradients: readonly Float32Array[]): Promise<void>;
}

export interface TrainingEngine {
  /** What was found of an engine elsewhere, for environment.json; absent for one on this machine. */
  readonly record?: Readonly<Record<string, unknown>>;
  /** What it does otherwise than asked, a sentence each: to be told once, as a warning. */
  readonly notices?: readonly string[];
  /** Maximum number of tokens of a prompt and its completion together. */
  readonly contextLength: number;
  /** Optimiser steps since the engine was opened: equal counts of a time and a later one mean equal weights. */
  readonly updates: number;
  readonly policy: Policy;
  /** Decoding for concurrent callers, as in a server; absent if the engine only samples whole batches. */
  readonly decode?: LivePolicy["decode"];
  /** Adapters on this engine's model; absent if it holds one set of weights only. */
  readonly adapters?: AdapterHost;
  /**
   * An engine of an adapter's weights as they are now, in memory, to sample from while the adapter is trained on. What is
   * merged for either serves both, until the adapter changes. Absent for an engine's own weights.
   */
  snapshot?(): Promise<TrainingEngine>;
  /** Absent if the engine cannot train a critic beside its policy. */
  readonly softCritic?: SoftCritic;
  /** Absent where the model has none. */
  readonly scoreHead?: ScoreHead;
  /** The frozen copy for KL terms; null before `freezeReference`. */
  readonly reference: Pick<Policy, "logProbs"> | null;
  /** Accumulates the batch's gradient onto those of earlier calls since the last `optimStep`. */
  forwardBackward(batch: TokenBatch): Promise<ForwardBackwardResult>;
  optimStep(o: OptimStep): Promise<OptimResult>;
  /**
   * The gradients of a batch's loss by its images at a site, or by weights, trained or frozen; those that
   * `forwardBackward` accumulates stay as they are. Absent where the model is computed elsewhere.
   */
  gradients?(batch: TokenBatch, wrt: ImageSite | readonly string[]): Promise<LossGradients>;
  /** Absent where the model is computed elsewhere. */
  readonly tower?: VisionTower;
  /**
   * An attachment that is saved with `training`, restored by `load` and dropped by `resetOptimizer`; the one of this name
   * that is open already. Absent where the model is computed elsewhere.
   */
  attach?<Name extends AttachmentName>(name: Name, config: AttachmentConfig<Name>): Promise<Attached>;
  /**
   * Norms of the inputs of every linear layer of the stacks over the tokens of prompts and completions, [in] by the layer's
   * weight. Absent where the model is computed elsewhere.
   */
  inputNorms?(groups: readonly TrainingGroup[]): Promise<ReadonlyMap<string, Float32Array>>;
  /** Makes the current weights the reference, or drops it. */
  freezeReference(keep: boolean): Promise<void>;
  /** Clears the optimiser's moments and accumulated gradients, for a new stage. */
  resetOptimizer(): Promise<void>;
  /** Writes weights in Hugging Face layout; with `training`, also what an exact resume needs. */
  save(folder: string, o: { readonly training: boolean }): Promise<void>;
  /** Restores what `save` with `training` wrote; clears accumulated gradients. */
  load(folder: string): Promise<void>;
  close(): Promise<void>;
}

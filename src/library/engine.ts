/** viva-rl/engine: a model behind the four verbs (sample, forwardBackward, optimStep, save). */

import type { Device } from "../core/device.ts";
import type { Processor } from "../core/processor.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { engines } from "../engine/index.ts";
import { openProcessor } from "../models/index.ts";
import type { LoraOptions } from "../models/lora.ts";
import { locateModel, type SourceOptions } from "../session/sources.ts";

export {
  encodeOptions,
  encodeQuestion,
  type PromptName,
  type PromptStyle,
  promptStyle,
  targetText,
} from "../answers/prompts.ts";
export type { Processor } from "../core/processor.ts";
export type { Completion, ImageRef, Message, Prompt, RolloutResult, SamplingOptions } from "../core/records.ts";
export {
  type ForwardBackwardResult,
  type LogProbOptions,
  type OptimResult,
  type OptimStep,
  type Policy,
  plainScoring,
  type TokenBatch,
  type TokenScores,
  type TrainingCompletion,
  type TrainingEngine,
  type TrainingGroup,
} from "../engine/engine.ts";
export type { LoraOptions } from "../models/lora.ts";

export interface OpenEngineOptions extends SourceOptions {
  /** Seed of random weights, adapters and dropout; default 0. */
  readonly seed?: number;
  /** Random weights by config.json instead of the folder's. */
  readonly init?: "pretrained" | "random";
  /** Trains adapters on the frozen model; by default all weights are trained. */
  readonly lora?: LoraOptions;
  /** Patterns of weight names to freeze; "vision" is the vision tower. */
  readonly freeze?: readonly string[];
  /** Default CPU. */
  readonly device?: Device;
  /** Default 0: ONNX Runtime chooses. */
  readonly threads?: number;
  /** Maximum completions decoded concurrently; default 64. */
  readonly rows?: number;
  /** Maximum tokens of one forward and backward pass, including padding; default 4,096. */
  readonly microBatchTokens?: number;
  /** Memory for saved activations, in GB; default 2. */
  readonly activationMemoryGb?: number;
}

export interface OpenedEngine {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
}

/**
 * Opens a model folder in Hugging Face layout (or a model of the Hub) for training: its processor, and the engine in a
 * worker thread. Throws UserError if the folder, a pattern or the device is invalid. Close the engine when done.
 */
export async function openEngine(model: string, o: OpenEngineOptions = {}): Promise<OpenedEngine> {
  const { init = "pretrained" } = o;
  const { folder } = await locateModel(model, { ...o, key: "model", weights: init === "pretrained" });
  const processor = await openProcessor(folder);
  const engine = await engines.local.open(
    {
      modelFolder: folder,
      initialise: init,
      seed: o.seed ?? 0,
      freeze: o.freeze ?? [],
      lora: o.lora ?? null,
      device: o.device ?? "cpu",
      threads: o.threads ?? 0,
      rows: o.rows ?? 64,
      microBatchTokens: o.microBatchTokens ?? 4096,
      activationBytes: (o.activationMemoryGb ?? 2) * 1e9,
    },
    processor,
  );
  return { engine, processor };
}

/** viva-rl/engine: a model behind the four verbs (sample, forwardBackward, optimStep, save). */

import { promptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import type { Processor } from "../core/processor.ts";
import type { FeatureDemand } from "../engine/backend.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { engines } from "../engine/index.ts";
import { openProcessor } from "../models/index.ts";
import type { LoraOptions } from "../models/lora.ts";
import { imageProbe } from "../session/engine-demands.ts";
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
  /** A server of the Tinker API that computes in this machine's place; the model's weights are not read then. */
  readonly server?: {
    readonly url: string;
    /** One of the server's models; its only one by default. */
    readonly model?: string;
    /** Environment variable that holds the key; by default none is sent. */
    readonly apiKeyEnv?: string;
  };
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
 * worker thread, or on a server. Throws UserError if the folder, a pattern or the device is invalid, or for what the server
 * cannot do. Close the engine when done.
 */
export async function openEngine(model: string, o: OpenEngineOptions = {}): Promise<OpenedEngine> {
  const { init = "pretrained" } = o;
  const server = o.server === undefined ? null : { model: null, apiKeyEnv: null, ...o.server };
  const weights = init === "pretrained" && server === null;
  const { folder } = await locateModel(model, { ...o, key: "model", weights });
  const processor = await openProcessor(folder);
  const engine = await engines[server === null ? "local" : "tinker"].open(
    {
      modelFolder: folder,
      initialise: init,
      seed: o.seed ?? 0,
      freeze: o.freeze ?? [],
      lora: o.lora ?? null,
      server,
      device: o.device ?? "cpu",
      threads: o.threads ?? 0,
      rows: o.rows ?? 64,
      microBatchTokens: o.microBatchTokens ?? 4096,
      activationBytes: (o.activationMemoryGb ?? 2) * 1e9,
    },
    processor,
    {
      features: demandsOf(o),
      images: server === null ? null : await imageProbe({ processor, prompt: promptStyle("plain") }),
    },
  );
  return { engine, processor };
}

function demandsOf({ init, lora, freeze = [], device = "cpu" }: OpenEngineOptions): readonly FeatureDemand[] {
  const all: readonly (readonly [boolean, FeatureDemand])[] = [
    [lora === undefined, { key: "lora", feature: "all_weights" }],
    [init === "random", { key: "init", feature: "random_weights" }],
    [freeze.length > 0, { key: "freeze", feature: "frozen_parts" }],
    [device !== "cpu", { key: "device", feature: "device" }],
    [
      lora !== undefined && lora.target_modules !== "all-linear",
      { key: "lora.target_modules", feature: "chosen_layers" },
    ],
    [(lora?.lora_dropout ?? 0) > 0, { key: "lora.lora_dropout", feature: "lora_dropout" }],
  ];
  return all.flatMap(([isAsked, demand]) => (isAsked ? [demand] : []));
}

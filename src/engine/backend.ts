/** What the table of engines holds: how to open an engine, and the memory a run with it needs on this machine. */
import type { QuantizedBits } from "../compiler/ops/quantized.ts";
import type { Device } from "../core/device.ts";
import type { Prompt } from "../core/records.ts";
import type { LoraOptions } from "../models/lora.ts";
import type { TrainingEngine } from "./engine.ts";

/** One kind of engine, selected by `engine.backend` of a recipe. */
export interface EngineBackend {
  /**
   * Opens the model; throws UserError for options that this backend does not support, and for what is asked of it that it
   * cannot do.
   */
  open(
    options: EngineOptions,
    decoder: CompletionDecoder,
    asked?: EngineDemands,
    onWeight?: OnWeight,
  ): Promise<TrainingEngine>;
  /**
   * The model's weights are on a server, `EngineOptions.server`: this machine needs its configuration and tokenizer alone.
   */
  readonly remote?: boolean;
  /** Finds out what a server does and which demands it cannot meet; what `open` does first. */
  readonly inspect?: (
    options: EngineOptions,
    decoder: CompletionDecoder,
    asked: EngineDemands,
  ) => Promise<EngineInspection>;
  /**
   * Peak memory of a run on this machine, estimated before anything is allocated; absent if the model is computed
   * elsewhere.
   */
  readonly planMemory?: (options: EngineOptions, step: LargestStep) => MemoryPlan;
  /** Bytes of the own memory of a device that keeps arrays, if this system tells them; else null. */
  readonly deviceBytes?: (device: Device) => Promise<number | null>;
}

/** Told of each weight of a model's files that is read, and quantised where that was asked for. */
export type OnWeight = (done: number, total: number) => void;

/** The part of the processor that an engine needs to turn tokens into completions. */
export interface CompletionDecoder {
  decode(ids: Int32Array): string;
  readonly stopTokenIds: readonly number[];
  /** The placeholder that stands for an image in a prompt's tokens; -1 where there are no images. */
  readonly imageTokenId: number;
}

/** What some engine may not be able to do. */
export type EngineFeature =
  | "all_weights"
  | "random_weights"
  | "frozen_parts"
  | "quantised_base"
  | "chosen_layers"
  | "lora_dropout"
  | "device"
  | "temperature"
  | "top_p"
  | "top_k"
  | "weight_decay"
  | "entropy_bonus"
  | "token_stats"
  | "reference"
  | "score_head"
  | "later_stage"
  | "critic"
  | "images"
  | "pixel_gradients"
  | "turns";

/** A recipe's key that asks for a feature. */
export interface FeatureDemand {
  /** As in "stages.0.temperature: 0.7". */
  readonly key: string;
  readonly feature: EngineFeature;
}

/** What a run asks of an engine, for engines that cannot do everything. */
export interface EngineDemands {
  readonly features: readonly FeatureDemand[];
  /** The same prompt about a black and about a white image, to see that images arrive; null: not to be tried. */
  readonly images: { readonly black: Prompt; readonly white: Prompt } | null;
}

/** What an engine elsewhere was found to do. */
export interface EngineInspection {
  /** For environment.json. */
  readonly record: Readonly<Record<string, unknown>>;
  /** Demands that cannot be met, a sentence each that begins with the recipe's key; empty: the run can begin. */
  readonly refused: readonly string[];
  /** What is done otherwise than asked, a sentence each. */
  readonly notices: readonly string[];
}

/** A server that computes in this machine's place. */
export interface EngineServer {
  readonly url: string;
  /** What the server calls the model; null: its only one. */
  readonly model: string | null;
  /** Environment variable that holds the key; null sends none. */
  readonly apiKeyEnv: string | null;
}

/** Limits on an image's area that override the checkpoint's own; saved with every checkpoint. */
export interface ImageLimits {
  readonly minPixels?: number;
  readonly maxPixels?: number;
}

/** Quantisation of a frozen base, as named in recipes and commands. */
export type QuantizedKind = "int8" | "int4";

export function quantizedBits(kind: QuantizedKind | null): QuantizedBits | null {
  return kind === null ? null : kind === "int8" ? 8 : 4;
}

/** Options for opening an engine; plain data that can be sent to a worker or another machine. */
export interface EngineOptions {
  /** Folder in Hugging Face layout. */
  readonly modelFolder: string;
  /** Random weights by config.json, or the folder's pretrained ones. */
  readonly initialise: "pretrained" | "random";
  readonly seed: number;
  readonly freeze: readonly string[];
  /** Trains LoRA adapters on the frozen model instead of the model itself. */
  readonly lora?: LoraOptions | null;
  /** The model has a score head, which is trained with it; a fresh one where its files have none. */
  readonly scoreHead?: boolean;
  /** Quantises the frozen base's matrices to this many bits; with adapters only. */
  readonly quantizeFrozen?: QuantizedBits | null;
  /** Adapter weights to start from, in PEFT's layout; null for fresh ones. */
  readonly adapterFolder?: string | null;
  /** Where the model is computed, for a remote backend. */
  readonly server?: EngineServer | null;
  /** 0 lets ONNX Runtime choose. */
  readonly threads: number;
  /** Where programs run; default CPU. */
  readonly device?: Device;
  readonly imageLimits?: ImageLimits;
  /** Maximum tokens of one forward and backward pass, including padding. */
  readonly microBatchTokens: number;
  /** Memory for saved activations, in bytes; the rest is recomputed (activation checkpointing). */
  readonly activationBytes?: number;
  /** Number of completions decoded concurrently. */
  readonly rows: number;
  /**
   * Memory for keys and values of completions that a tool interrupted, in bytes; default 512 MB. 0 computes them again, and
   * also each prompt that goes on from a completion that is being decoded.
   */
  readonly prefixBytes?: number;
  /** Memory limit of the KV cache for live decoding, in bytes; default: what its rows need. */
  readonly cacheBytes?: number;
}

/** The largest step of a run. */
export interface LargestStep {
  readonly prompts: number;
  readonly promptTokens: number;
  /** Prompt tokens that are image placeholders; 0 without an image. */
  readonly imageTokens: number;
  readonly numGenerations: number;
  readonly completionTokens: number;
  /** Image tokens among `completionTokens`, which tools may show, and in how many images; null or absent without tools. */
  readonly observed?: { readonly images: number; readonly imageTokens: number } | null;
  /** Whether a frozen copy of the trained weights is kept. */
  readonly reference: boolean;
  /** Whether updates are masked, which keeps two arrays of each trained weight's size; default false. */
  readonly masked?: boolean;
  /** Whether a critic and its target are trained beside the policy; default false. */
  readonly critic?: boolean;
}

/** Bytes of this machine's memory, by purpose. */
export interface MemoryPlan {
  readonly parts: Readonly<Record<string, number>>;
  readonly total: number;
  /** The same of the device's own memory; null where arrays lie in this machine's. */
  readonly device: Omit<MemoryPlan, "device"> | null;
}

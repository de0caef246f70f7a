/** What the table of engines holds: how an engine is opened, and what a run with it takes of this machine. */
import type { QuantizedBits } from "../compiler/ops/quantized.ts";
import type { Device } from "../core/device.ts";
import type { LoraOptions } from "../models/lora.ts";
import type { TrainingEngine } from "./engine.ts";

/** One kind of engine, which recipes name by `engine.backend`. */
export interface EngineBackend {
  /** Opens the model; options that this backend cannot honour are a UserError. */
  open(options: EngineOptions, decoder: CompletionDecoder): Promise<TrainingEngine>;
  /** Peak memory of a run on this machine, before anything is allocated; absent where the model is computed elsewhere. */
  readonly planMemory?: (options: EngineOptions, step: LargestStep) => MemoryPlan;
}

/** What an engine needs of the processor to turn tokens into completions. */
export interface CompletionDecoder {
  decode(ids: Int32Array): string;
  readonly stopTokenIds: readonly number[];
}

/** Limits on an image's area that replace the checkpoint's own; they go into every checkpoint saved. */
export interface ImageLimits {
  readonly minPixels?: number;
  readonly maxPixels?: number;
}

/** How a frozen base is held, as recipes and commands call it. */
export type QuantizedKind = "int8" | "int4";

export function quantizedBits(kind: QuantizedKind | null): QuantizedBits | null {
  return kind === null ? null : kind === "int8" ? 8 : 4;
}

/** What an engine is opened with; plain data, which may cross to a worker or another machine. */
export interface EngineOptions {
  /** Folder in Hugging Face layout. */
  readonly modelFolder: string;
  /** Random weights from config.json, or those of the folder. */
  readonly initialise: "pretrained" | "random";
  readonly seed: number;
  readonly freeze: readonly string[];
  /** Trains adapters on the frozen model in place of the model itself. */
  readonly lora?: LoraOptions | null;
  /** Holds the frozen base's matrices as integers of so many bits; with adapters only. */
  readonly quantizeFrozen?: QuantizedBits | null;
  /** Adapter weights to start from, in PEFT's layout; null: fresh ones. */
  readonly adapterFolder?: string | null;
  /** 0: as many as ONNX Runtime chooses. */
  readonly threads: number;
  /** Where programs run; the CPU by default. */
  readonly device?: Device;
  readonly imageLimits?: ImageLimits;
  /** Most tokens of one forward and backward pass, padding included. */
  readonly microBatchTokens: number;
  /** Bytes of results kept between the two passes; the rest is computed again. */
  readonly activationBytes?: number;
  /** Completions decoded at the same time. */
  readonly rows: number;
  /** Bytes of keys and values that live decoding may take; by default as many as its rows need. */
  readonly cacheBytes?: number;
}

/** The largest step that a run may meet. */
export interface LargestStep {
  readonly prompts: number;
  readonly promptTokens: number;
  /** Of these, tokens that stand for the prompt's image; 0 without one. */
  readonly imageTokens: number;
  readonly numGenerations: number;
  readonly completionTokens: number;
  /** A frozen copy of what is trained is kept. */
  readonly reference: boolean;
}

/** Bytes, by what they are for. */
export interface MemoryPlan {
  readonly parts: Readonly<Record<string, number>>;
  readonly total: number;
}

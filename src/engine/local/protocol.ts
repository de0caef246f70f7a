/** Messages between the main thread and the worker of a local engine. */
import type { ImageFeatures, ImageSite, Prompt } from "../../core/records.ts";
import type {
  AdapterOptions,
  LiveOptions,
  LogProbOptions,
  OptimStep,
  ScoredCompletions,
  SoftBatch,
  SoftStep,
  TokenBatch,
  TrainingGroup,
} from "../engine.ts";
import type { DecodeOptions } from "./sampler.ts";

/** An adapter by its options, or the weights of an open one as they are now. */
export type OpenedAdapter = AdapterOptions | { readonly snapshotOf: number };

export type Call =
  /** Opens the model, or an adapter on it under the request's number. */
  | { readonly call: "open"; readonly adapter?: OpenedAdapter }
  | { readonly call: "sample"; readonly prompts: readonly Prompt[]; readonly options: DecodeOptions }
  | {
      readonly call: "decode";
      readonly prompt: Prompt;
      readonly options: LiveOptions & Pick<DecodeOptions, "stopTokenIds">;
    }
  /** Cancels completions of the decode call `of`: one, or all. */
  | { readonly call: "giveUp"; readonly of: number; readonly completion: number | null }
  | {
      readonly call: "logProbs";
      readonly groups: readonly TrainingGroup[];
      readonly scoring: LogProbOptions;
      readonly which: "policy" | "reference";
    }
  | { readonly call: "embed"; readonly prompts: readonly Prompt[] }
  | { readonly call: "forwardBackward"; readonly batch: TokenBatch }
  | { readonly call: "scores"; readonly groups: readonly ScoredCompletions[] }
  | {
      readonly call: "scoresBackward";
      readonly groups: readonly ScoredCompletions[];
      readonly gradients: readonly number[];
    }
  | { readonly call: "optimStep"; readonly options: OptimStep }
  /** Soft Q-learning's pass of the policy or of the critic, and its update of both. */
  | { readonly call: "softPass"; readonly of: "policy" | "critic"; readonly batch: SoftBatch }
  | { readonly call: "softStep"; readonly options: SoftStep }
  | { readonly call: "gradients"; readonly batch: TokenBatch; readonly wrt: ImageSite | readonly string[] }
  | { readonly call: "towerEncode"; readonly images: readonly ImageFeatures[]; readonly training: boolean }
  | { readonly call: "towerBackward"; readonly gradients: readonly Float32Array[] }
  | { readonly call: "inputNorms"; readonly groups: readonly TrainingGroup[] }
  | { readonly call: "freezeReference"; readonly keep: boolean }
  | { readonly call: "resetOptimizer" }
  | { readonly call: "save"; readonly folder: string; readonly training: boolean }
  | { readonly call: "load"; readonly folder: string }
  | { readonly call: "close" };

/** `on` is the set of weights it is for: 0 the engine's own, else an open adapter. */
export type Request = Call & { readonly id: number; readonly on: number };

export type Reply =
  | { readonly id: number; readonly kind: "done"; readonly value: unknown }
  | { readonly id: number; readonly kind: "event"; readonly event: unknown }
  | {
      readonly id: number;
      readonly kind: "error";
      readonly message: string;
      /** What it is thrown as on the other side: a user's mistake, a failed run, or a bug. */
      readonly fault: "user" | "run" | "internal";
      readonly stack: string;
    };

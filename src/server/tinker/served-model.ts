/** What a Tinker server is handed: the model it serves, and its limits. */
import type { Processor } from "../../core/processor.ts";
import type { AdapterHost, TrainingEngine } from "../../engine/engine.ts";

export interface TinkerModel {
  readonly name: string;
  /** What a client opens the tokenizer by. */
  readonly tokenizer: string;
  /** Equal for equal weights. */
  readonly fingerprint: string;
  readonly processor: Pick<Processor, "encodeImage" | "imageTokenId" | "decode">;
  /** The model without an adapter. */
  readonly engine: Pick<TrainingEngine, "policy" | "decode" | "contextLength">;
  readonly adapters: AdapterHost;
}

export interface TinkerLimits {
  readonly maxImagePixels: number;
  readonly maxCompletionLength: number;
  /** Requests without a result. */
  readonly maxPending: number;
  readonly maxModels: number;
  readonly maxSessions: number;
  /** From a session's last request to its end. */
  readonly sessionTimeoutSeconds: number;
}

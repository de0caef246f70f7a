/** The binary result of sampling, in both directions. */

import { UserError } from "../core/errors.ts";
import { bytesOf, float32From, int32From } from "./arrays.ts";
import { decode, encode } from "./schema.ts";

export interface SampledSequence {
  readonly stopReason: "stop" | "length";
  /** With the stop token, where one was drawn. */
  readonly tokens: Int32Array;
  /** As long as `tokens`; null where the sender gives none. */
  readonly logProbs: Float32Array | null;
}

export interface SampleResponse {
  readonly sequences: readonly SampledSequence[];
  /** One per token of the prompt, NaN for the first; null where they were not asked for. */
  readonly promptLogProbs: Float32Array | null;
}

const REASONS = ["stop", "length"] as const;

export function encodeSampleResponse({ sequences, promptLogProbs }: SampleResponse): Uint8Array {
  return encode("SampleResponse", {
    sequences: sequences.map(({ stopReason, tokens, logProbs }) => ({
      stop_reason: REASONS.indexOf(stopReason),
      tokens: bytesOf(tokens),
      ...(logProbs === null ? {} : { logprobs: bytesOf(logProbs) }),
    })),
    ...(promptLogProbs === null ? {} : { prompt_logprobs: bytesOf(promptLogProbs) }),
  });
}

interface ResponseFields {
  readonly sequences?: readonly {
    readonly stop_reason?: number;
    readonly tokens?: Uint8Array;
    readonly logprobs?: Uint8Array | null;
  }[];
  readonly prompt_logprobs?: Uint8Array | null;
}

/** Throws UserError. */
export function decodeSampleResponse(bytes: Uint8Array): SampleResponse {
  const message = decode<ResponseFields>("SampleResponse", bytes);
  return {
    sequences: (message.sequences ?? []).map(({ stop_reason = 0, tokens, logprobs }, i) => {
      const stopReason = REASONS[stop_reason];
      if (stopReason === undefined) throw new UserError(`sequences[${i}]: unknown stop_reason ${stop_reason}`);
      return {
        stopReason,
        tokens: int32From(tokens ?? new Uint8Array(), `sequences[${i}].tokens`),
        logProbs: logprobs == null ? null : float32From(logprobs, `sequences[${i}].logprobs`),
      };
    }),
    promptLogProbs: message.prompt_logprobs == null ? null : float32From(message.prompt_logprobs, "prompt_logprobs"),
  };
}

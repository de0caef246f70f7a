/**
 * The JSON answers of a server of the Tinker API, read leniently: servers differ in what they add. What a client needs is
 * required.
 */
import * as z from "zod";

/** Answers a submitted request; its result is fetched with this id. */
export const promise = z.object({
  request_id: z.string(),
  /** Of asample, one per sample; from SDK 0.38.0 on. */
  sample_sequence_ids: z.array(z.string()).nullish(),
});

/** In place of a result: ask again. */
export const tryAgain = z.object({ type: z.literal("try_again") });

/** In place of a result: the request failed. `user`: for what it asked; `server`, `unknown`: for reasons of the server. */
export const failure = z.object({ error: z.string(), category: z.string().nullish() });

export const serverCapabilities = z.object({
  supported_models: z.array(z.object({ model_name: z.string().nullish(), max_context_length: z.number().nullish() })),
});

export const createdSession = z.object({ session_id: z.string() });

export const createdModel = z.object({ model_id: z.string() });

export const modelInfo = z.object({
  model_id: z.string(),
  model_data: z.object({ model_name: z.string().nullish(), tokenizer_id: z.string().nullish() }),
  lora_rank: z.number().nullish(),
});

export const optimStepResult = z.object({ metrics: z.record(z.string(), z.number()).nullish() });

export const savedWeights = z.object({ path: z.string() });

export const savedForSampler = z.object({ path: z.string().nullish(), sampling_session_id: z.string().nullish() });

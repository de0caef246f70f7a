/**
 * The JSON bodies that clients of the Tinker API send, as released SDKs (tinker 0.25.0 and 0.38.0) write them. Where a part
 * that viva does not know would change results, the body is refused; elsewhere it is passed over.
 */
import * as z from "zod";

const text = z.string().max(500);
const index = z.int().min(0);
/** The place of a request among its model's or its sampling session's: orders requests, and tells a repeated one. */
const seqId = index.nullish();
const metadata = z.record(z.string(), z.unknown()).nullish();
const ttl = z.int().min(1).nullish();
const none = <T extends z.ZodType>(neutral: T) => neutral.nullish();

/** The optimiser of a model: AdamW only. */
const optimizerConfig = z.object({ type: z.literal("adamw", "only adamw is supported") }).nullish();

export const createSession = z.object({
  sdk_version: text.optional(),
  tags: z.array(text).optional(),
  user_metadata: metadata,
  display_name: text.nullish(),
});

export const sessionHeartbeat = z.object({ session_id: text });

export const loraConfig = z.strictObject({
  rank: z.int().min(1).max(1024),
  seed: z.int().nullish(),
  train_attn: z.boolean().default(true),
  train_mlp: z.boolean().default(true),
  train_unembed: z.boolean().default(true),
});

export const createModel = z.object({
  session_id: text,
  model_seq_id: index,
  base_model: text,
  lora_config: loraConfig.nullish(),
  optimizer_config: optimizerConfig,
  user_metadata: metadata,
});

export const ofModel = z.object({ model_id: text, seq_id: seqId });

export const adamParams = z.strictObject({
  learning_rate: z.number().min(0).default(1e-4),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  eps: z.number().gt(0).default(1e-12),
  weight_decay: z.number().min(0).default(0),
  grad_clip_norm: z.number().min(0).default(0),
});

export const optimStep = z.strictObject({
  type: z.literal("optim_step").optional(),
  model_id: text,
  seq_id: seqId,
  adam_params: adamParams,
});

export const retrieveFuture = z.object({ request_id: text });

export const saveWeights = z.object({
  model_id: text,
  seq_id: seqId,
  path: text.nullish(),
  overwrite: z.boolean().default(false),
  ttl_seconds: ttl,
  user_metadata: metadata,
});

export const saveWeightsForSampler = z.object({
  model_id: text,
  seq_id: seqId,
  /** A name to save under; without one the weights last as long as the session. */
  path: text.nullish(),
  sampling_session_seq_id: index.nullish(),
  kind: z
    .literal("snapshot", "only snapshots are supported: weights that change while they are sampled are not")
    .nullish(),
  ttl_seconds: ttl,
  user_metadata: metadata,
});

export const saveWeightsExternal = z.object({
  model_id: text,
  seq_id: seqId,
  path: text,
  ttl_seconds: ttl,
  age_encryption_recipients: none(z.tuple([], "encryption is not supported")),
});

/** Into a model that was just made (SDK 0.25.0), or to make one (0.38.0): with `model_id`, or `session_id` and `model_seq_id`. */
export const loadWeights = z.object({
  path: text,
  optimizer: z.boolean().default(false),
  model_id: text.nullish(),
  seq_id: seqId,
  session_id: text.nullish(),
  model_seq_id: index.nullish(),
  base_model: text.nullish(),
  optimizer_config: optimizerConfig,
  user_metadata: metadata,
});

export const weightsInfo = z.object({ tinker_path: text });

export const createSamplingSession = z.object({
  session_id: text,
  sampling_session_seq_id: index,
  base_model: text.nullish(),
  model_path: text.nullish(),
});

export const joinSamplingSession = z.object({ sampling_session_id: text });

/** Null removes the end. */
export const setTtl = z.strictObject({ ttl_seconds: z.int().min(1).nullable() });

const token = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

export const chunk = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("encoded_text"), tokens: z.array(token) }),
    z.strictObject({
      type: z.literal("image"),
      data: z.base64(),
      format: text,
      expected_tokens: z.int().min(0).nullish(),
    }),
  ],
  { error: "only encoded_text and image chunks are read" },
);

const samplingParams = z.strictObject({
  max_tokens: z.int().min(1).nullish(),
  seed: z.int().nullish(),
  /** null: the model's own stop tokens end a sequence; an empty list: nothing does. */
  stop: z.union([text.min(1), z.array(text.min(1)).min(1).max(16), z.array(token).max(64)]).nullish(),
  temperature: z.number().min(0).max(100).default(1),
  top_k: z.union([z.literal(-1), z.literal(0)], "top_k is not supported: leave it at -1").default(-1),
  top_p: z.number().gt(0).max(1).default(1),
});

export const sample = z.strictObject({
  type: z.literal("sample").optional(),
  prompt: z.object({ chunks: z.array(chunk).max(4096) }),
  num_samples: z.int().min(1).max(1024).default(1),
  sampling_params: samplingParams,
  sampling_session_id: text.nullish(),
  /** Copies of a client that do not join count from a number that JSON cannot tell from its neighbours: one as without. */
  seq_id: z
    .number()
    .min(0)
    .nullish()
    .transform((number) => (Number.isSafeInteger(number) ? number : null)),
  base_model: text.nullish(),
  model_path: text.nullish(),
  prompt_logprobs: z.boolean().nullish(),
  prompt_logprobs_last_n: z.int().min(1).nullish(),
  topk_prompt_logprobs: none(z.literal(0, "topk_prompt_logprobs is not supported")),
  topk_sample_logprobs: none(z.literal(0, "topk_sample_logprobs is not supported")),
  target_prompt_logprobs: none(z.never("target_prompt_logprobs is not supported")),
  prompt_alt_tokens_k: none(z.literal(0, "prompt_alt_tokens_k is not supported")),
  record_stability_info: none(z.literal(false, "record_stability_info is not supported: stable_reinforce is not")),
});

export type SampleRequest = z.output<typeof sample>;

/** Qwen2-VL's config.json, in the flat layout of transformers 4 and the nested one of transformers 5, as one record. */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";

const size = z.number().int().positive();

const ropeSchema = z.object({
  mrope_section: z.array(size),
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
});

const textSchema = z.object({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  vocab_size: size,
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.optional(),
  rope_parameters: ropeSchema.optional(),
  max_position_embeddings: size.default(32768),
  initializer_range: z.number().positive().default(0.02),
  use_sliding_window: z.literal(false, "sliding-window attention is not supported").default(false),
  tie_word_embeddings: z.boolean().optional(),
});

/** Absent keys take the class defaults of transformers' Qwen2VLVisionConfig. */
const visionSchema = z.object({
  depth: size.default(32),
  embed_dim: size.default(1280),
  num_heads: size.default(16),
  mlp_ratio: z.number().positive().default(4),
  patch_size: size.default(14),
  spatial_merge_size: size.default(2),
  temporal_patch_size: size.default(2),
  in_channels: size.optional(),
  in_chans: size.optional(),
  hidden_size: size.optional(),
  hidden_act: z.literal("quick_gelu").default("quick_gelu"),
  initializer_range: z.number().positive().default(0.02),
});

const topSchema = z.object({
  image_token_id: size.default(151655),
  video_token_id: size.default(151656),
  vision_start_token_id: size.default(151652),
  vision_end_token_id: size.default(151653),
  vision_token_id: size.default(151654),
  tie_word_embeddings: z.boolean().optional(),
  text_config: z.record(z.string(), z.unknown()).optional(),
  vision_config: z.record(z.string(), z.unknown()).default({}),
});

export interface Qwen2VLConfig {
  readonly width: number;
  readonly mlpWidth: number;
  readonly depth: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  /** Halved rotary frequencies given to time, height and width. */
  readonly ropeSections: readonly number[];
  readonly maxPositions: number;
  readonly tied: boolean;
  readonly std: number;
  readonly imageTokenId: number;
  readonly visionTokenIds: readonly number[];
  readonly vision: {
    readonly depth: number;
    readonly width: number;
    readonly heads: number;
    readonly mlpWidth: number;
    readonly patch: number;
    readonly merge: number;
    readonly temporalPatch: number;
    readonly channels: number;
    readonly std: number;
  };
}

/** Parses config.json; `source` names the file in errors. */
export function parseConfig(json: unknown, source: string): Qwen2VLConfig {
  const top = parse(topSchema, json, source, "");
  const text = parse(textSchema, top.text_config ?? json, source, top.text_config === undefined ? "" : "text_config.");
  const vision = parse(visionSchema, top.vision_config, source, "vision_config.");
  const rope = text.rope_parameters ?? text.rope_scaling;
  if (rope === undefined)
    throw new UserError(`${source}: rope_parameters (or rope_scaling) with mrope_section is missing`);
  const headDim = text.hidden_size / text.num_attention_heads;
  const keyValueHeads = text.num_key_value_heads ?? text.num_attention_heads;
  const covered = rope.mrope_section.reduce((a, b) => a + b, 0);
  if (!Number.isInteger(headDim) || headDim % 2 !== 0 || covered !== headDim / 2) {
    throw new UserError(
      `${source}: mrope_section [${rope.mrope_section}] must sum to half the head size (hidden_size ${text.hidden_size} / num_attention_heads ${text.num_attention_heads})`,
    );
  }
  if (text.num_attention_heads % keyValueHeads !== 0) {
    throw new UserError(
      `${source}: num_attention_heads ${text.num_attention_heads} must be a multiple of num_key_value_heads ${keyValueHeads}`,
    );
  }
  if (vision.embed_dim % (4 * vision.num_heads) !== 0) {
    throw new UserError(
      `${source}: vision_config.embed_dim ${vision.embed_dim} must be a multiple of 4 x num_heads ${vision.num_heads}`,
    );
  }
  if (vision.hidden_size !== undefined && vision.hidden_size !== text.hidden_size) {
    throw new UserError(
      `${source}: vision_config.hidden_size ${vision.hidden_size} must equal hidden_size ${text.hidden_size}`,
    );
  }
  return {
    width: text.hidden_size,
    mlpWidth: text.intermediate_size,
    depth: text.num_hidden_layers,
    heads: text.num_attention_heads,
    keyValueHeads,
    headDim,
    vocabularySize: text.vocab_size,
    normEpsilon: text.rms_norm_eps,
    ropeTheta: rope.rope_theta ?? text.rope_theta ?? 1_000_000,
    ropeSections: rope.mrope_section,
    maxPositions: text.max_position_embeddings,
    tied: top.tie_word_embeddings ?? text.tie_word_embeddings ?? false,
    std: text.initializer_range,
    imageTokenId: top.image_token_id,
    visionTokenIds: [
      top.image_token_id,
      top.video_token_id,
      top.vision_start_token_id,
      top.vision_end_token_id,
      top.vision_token_id,
    ].filter((id) => id < text.vocab_size), // an absent key has the default of the big vocabulary
    vision: {
      depth: vision.depth,
      width: vision.embed_dim,
      heads: vision.num_heads,
      mlpWidth: Math.floor(vision.embed_dim * vision.mlp_ratio),
      patch: vision.patch_size,
      merge: vision.spatial_merge_size,
      temporalPatch: vision.temporal_patch_size,
      channels: vision.in_channels ?? vision.in_chans ?? 3,
      std: vision.initializer_range,
    },
  };
}

function parse<S extends z.ZodType>(schema: S, json: unknown, source: string, prefix: string): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UserError(`${source}: ${prefix}${issue.path.join(".")}: ${issue.message}`);
}

/**
 * What the config.json files of the Qwen-VL families share: token ids and the language model, in the flat layout of
 * transformers 4 and the nested one of transformers 5, as one record.
 */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import { wordingOf } from "../../core/issues.ts";

export const size = z.number().int().positive();

const ropeSchema = z.object({
  mrope_section: z.array(size).length(3, "must have three numbers, for time, height and width"),
  rope_theta: z.number().positive().optional(),
  rope_type: z.enum(["default", "mrope"], "only default rotary positions are supported").optional(),
  type: z.enum(["default", "mrope"], "only default rotary positions are supported").optional(),
});

const textSchema = z.object({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  hidden_act: z.literal("silu", "only silu is supported").default("silu"),
  rms_norm_eps: z.number().positive().optional(),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  max_position_embeddings: size.optional(),
  initializer_range: z.number().positive().default(0.02),
  use_sliding_window: z.literal(false, "sliding-window attention is not supported").nullish(),
  attention_bias: z.boolean().nullish(),
  tie_word_embeddings: z.boolean().optional(),
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

/** The language model's sizes. */
export interface TextConfig {
  readonly width: number;
  readonly mlpWidth: number;
  readonly depth: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  /** The axis (0 time, 1 height, 2 width) that turns each of the headDim / 2 rotary frequencies. */
  readonly ropeAxes: readonly number[];
  readonly maxPositions: number;
  readonly tied: boolean;
  readonly std: number;
  /** Which of q_proj, k_proj, v_proj and o_proj have a bias. */
  readonly biases: readonly string[];
  /** Whether queries and keys are normalised per head. */
  readonly headNorms: boolean;
  readonly imageTokenId: number;
  readonly visionTokenIds: readonly number[];
}

/** The vision tower's sizes, as far as the families share them. */
export interface VisionConfig {
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly patch: number;
  readonly merge: number;
  readonly temporalPatch: number;
  readonly channels: number;
  readonly ropeTheta: number;
  readonly std: number;
}

/** What the class of a family gives where config.json is silent, and what its layers are like. */
export interface TextTraits {
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  readonly maxPositions: number;
  readonly headNorms: boolean;
  /** Null: width / heads. */
  readonly headDim: number | null;
  /** `attentionBias` is config.json's attention_bias. */
  biases(attentionBias: boolean): readonly string[];
  /** The axis of each frequency, from mrope_section: how many frequencies each axis has. */
  ropeAxes(sections: readonly number[]): readonly number[];
}

/** Of transformers' Qwen2VLTextConfig and Qwen2_5_VLTextConfig, which are alike. */
export const qwen2Traits: TextTraits = {
  normEpsilon: 1e-5,
  ropeTheta: 1_000_000,
  maxPositions: 32768,
  headDim: null,
  headNorms: false,
  biases: () => ["q_proj", "k_proj", "v_proj"],
  ropeAxes: sectionAxes,
};

/** Token ids and language model; `vision` is the untouched vision_config. `source` names the file in errors. */
export function parseText(
  json: unknown,
  source: string,
  traits: TextTraits,
): { readonly text: TextConfig; readonly vision: Readonly<Record<string, unknown>> } {
  const top = parsePart(topSchema, json, source, "");
  const prefix = top.text_config === undefined ? "" : "text_config.";
  const text = parsePart(textSchema, top.text_config ?? json, source, prefix);
  const rope = text.rope_parameters ?? text.rope_scaling;
  if (rope == null) throw new UserError(`${source}: rope_parameters (or rope_scaling) with mrope_section is missing`);
  const heads = text.num_attention_heads;
  const headDim = text.head_dim ?? traits.headDim ?? text.hidden_size / heads;
  const keyValueHeads = text.num_key_value_heads ?? heads;
  const covered = rope.mrope_section.reduce((a, b) => a + b, 0);
  if (!Number.isInteger(headDim) || headDim % 2 !== 0 || covered !== headDim / 2) {
    throw new UserError(
      `${source}: mrope_section [${rope.mrope_section}] must sum to half the head size ${headDim} (head_dim, or hidden_size ${text.hidden_size} / num_attention_heads ${heads})`,
    );
  }
  if (heads % keyValueHeads !== 0) {
    throw new UserError(
      `${source}: num_attention_heads ${heads} must be a multiple of num_key_value_heads ${keyValueHeads}`,
    );
  }
  const ids = [top.image_token_id, top.video_token_id, top.vision_start_token_id, top.vision_end_token_id];
  return {
    vision: top.vision_config,
    text: {
      width: text.hidden_size,
      mlpWidth: text.intermediate_size,
      depth: text.num_hidden_layers,
      heads,
      keyValueHeads,
      headDim,
      vocabularySize: text.vocab_size,
      normEpsilon: text.rms_norm_eps ?? traits.normEpsilon,
      ropeTheta: rope.rope_theta ?? text.rope_theta ?? traits.ropeTheta,
      ropeAxes: traits.ropeAxes(rope.mrope_section),
      maxPositions: text.max_position_embeddings ?? traits.maxPositions,
      // transformers 4 may leave it in text_config alone.
      tied: Boolean(top.tie_word_embeddings) || Boolean(text.tie_word_embeddings),
      std: text.initializer_range,
      biases: traits.biases(text.attention_bias ?? false),
      headNorms: traits.headNorms,
      imageTokenId: top.image_token_id,
      // An absent key has the default of the big vocabulary.
      visionTokenIds: [...ids, top.vision_token_id].filter((id) => id < text.vocab_size),
    },
  };
}

/** Sections in order: the first frequencies turn with time, the next with height, the last with width. */
function sectionAxes(sections: readonly number[]): number[] {
  return sections.flatMap((count, axis) => new Array<number>(count).fill(axis));
}

const channels = z.literal(3, "images have 3 channels").optional();

/** What every family's vision_config has; the defaults are those of transformers' classes. */
export const visionFields = {
  depth: size.default(32),
  num_heads: size.default(16),
  patch_size: size.default(14),
  spatial_merge_size: size.default(2),
  temporal_patch_size: size.default(2),
  in_channels: channels,
  in_chans: channels,
  initializer_range: z.number().positive().default(0.02),
  rope_parameters: z
    .object({
      rope_theta: z.number().positive().default(10_000),
      rope_type: z.literal("axial", "only axial rotary positions are supported").optional(),
    })
    .nullish(),
};

/** Those fields under our names. */
export function visionSizes(
  vision: z.output<z.ZodObject<typeof visionFields>>,
  own: Pick<VisionConfig, "width" | "mlpWidth">,
): VisionConfig {
  return {
    ...own,
    depth: vision.depth,
    heads: vision.num_heads,
    patch: vision.patch_size,
    merge: vision.spatial_merge_size,
    temporalPatch: vision.temporal_patch_size,
    channels: vision.in_channels ?? vision.in_chans ?? 3,
    ropeTheta: vision.rope_parameters?.rope_theta ?? 10_000,
    std: vision.initializer_range,
  };
}

/** Checks that a tower's heads and output fit; `key` is the width's name in vision_config. */
export function checkTower(
  vision: { readonly width: number; readonly heads: number; readonly outWidth: number | undefined },
  text: TextConfig,
  source: string,
  keys: { readonly width: string; readonly outWidth: string },
): void {
  if (vision.width % (4 * vision.heads) !== 0) {
    throw new UserError(
      `${source}: vision_config.${keys.width} ${vision.width} must be a multiple of 4 x num_heads ${vision.heads}`,
    );
  }
  if (vision.outWidth !== undefined && vision.outWidth !== text.width) {
    throw new UserError(
      `${source}: vision_config.${keys.outWidth} ${vision.outWidth} must equal hidden_size ${text.width}`,
    );
  }
}

/** Parses one part of config.json; the first problem is one sentence that names file and key. */
export function parsePart<S extends z.ZodType>(schema: S, json: unknown, source: string, prefix: string): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UserError(`${source}: ${prefix}${issue.path.join(".")}: ${wordingOf(issue)}`);
}

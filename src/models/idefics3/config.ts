/**
 * config.json of Idefics3 and SmolVLM as one record, in the layouts of transformers 4 (rope_theta beside rope_scaling) and
 * transformers 5 (rope_parameters). Absent keys take transformers' class defaults: files on the Hub leave many out.
 */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import { parsePart, size, type TextConfig } from "../qwen_vl/config.ts";

/** Of transformers' kinds the plain one, and Llama 3.1's, which stretches the slow frequencies. */
const ropeSchema = z.discriminatedUnion("rope_type", [
  z.object({ rope_type: z.literal("default"), rope_theta: z.number().positive().optional() }),
  z.object({
    rope_type: z.literal("llama3"),
    rope_theta: z.number().positive().optional(),
    factor: z.number().positive(),
    low_freq_factor: z.number().positive(),
    high_freq_factor: z.number().positive(),
    original_max_position_embeddings: size.optional(),
  }),
]);

/** Llama's own defaults. */
const textSchema = z.object({
  model_type: z.literal("llama", 'only "llama" language models are supported').default("llama"),
  hidden_size: size.default(4096),
  intermediate_size: size.default(11008),
  num_hidden_layers: size.default(32),
  num_attention_heads: size.default(32),
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size.default(32000),
  max_position_embeddings: size.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.literal("silu").default("silu"),
  initializer_range: z.number().positive().default(0.02),
  attention_bias: z.literal(false, "biases in attention are not supported").default(false),
  mlp_bias: z.literal(false, "biases in the MLP are not supported").default(false),
  rope_theta: z.number().positive().optional(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
});

const visionSchema = z.object({
  hidden_size: size.default(1152),
  intermediate_size: size.default(3072),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(16),
  num_channels: z.literal(3, "images have 3 channels").default(3),
  image_size: size.default(224),
  patch_size: size.default(32),
  hidden_act: z.literal("gelu_pytorch_tanh").default("gelu_pytorch_tanh"),
  layer_norm_eps: z.number().positive().default(1e-6),
  initializer_range: z.number().positive().default(0.02),
});

const topSchema = z.object({
  image_token_id: size.default(128257),
  scale_factor: size.default(2),
  tie_word_embeddings: z.boolean().default(false),
  text_config: z.record(z.string(), z.unknown()).default({ rms_norm_eps: 1e-5 }),
  vision_config: z.record(z.string(), z.unknown()).default({}),
});

/** Rotary frequencies: base, and the stretching of slow ones where there is any. */
export interface Rope {
  readonly theta: number;
  readonly stretch: {
    readonly factor: number;
    readonly lowFactor: number;
    readonly highFactor: number;
    readonly originalPositions: number;
  } | null;
}

export interface Idefics3Config {
  readonly text: TextConfig;
  readonly rope: Rope;
  readonly vision: {
    readonly depth: number;
    readonly width: number;
    readonly heads: number;
    readonly mlpWidth: number;
    readonly patch: number;
    /** Patches per side that become one image token. */
    readonly merge: number;
    /** Learned positions per side. */
    readonly positionsPerSide: number;
    readonly normEpsilon: number;
    readonly std: number;
  };
}

/** Parses config.json; `source` names the file in errors. */
export function parseConfig(json: unknown, source: string): Idefics3Config {
  const top = parsePart(topSchema, json, source, "");
  const text = parsePart(textSchema, top.text_config, source, "text_config.");
  const vision = parsePart(visionSchema, top.vision_config, source, "vision_config.");
  const keyValueHeads = text.num_key_value_heads ?? text.num_attention_heads;
  const headDim = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw new UserError(
      `${source}: text_config: the head size ${headDim} (head_dim, or hidden_size / num_attention_heads) must be even`,
    );
  }
  const multiple = (prefix: string, key: string, value: number, ofKey: string, of: number) => {
    if (value % of !== 0)
      throw new UserError(`${source}: ${prefix}.${key} ${value} must be a multiple of ${ofKey} ${of}`);
  };
  multiple("text_config", "num_attention_heads", text.num_attention_heads, "num_key_value_heads", keyValueHeads);
  multiple("vision_config", "hidden_size", vision.hidden_size, "num_attention_heads", vision.num_attention_heads);
  if (vision.image_size < vision.patch_size) {
    throw new UserError(`${source}: vision_config.image_size ${vision.image_size} is less than one patch_size`);
  }
  const rope = parseRope(text, source);
  return {
    text: {
      width: text.hidden_size,
      mlpWidth: text.intermediate_size,
      depth: text.num_hidden_layers,
      heads: text.num_attention_heads,
      keyValueHeads,
      headDim,
      vocabularySize: text.vocab_size,
      normEpsilon: text.rms_norm_eps,
      ropeTheta: rope.theta,
      ropeAxes: new Array<number>(headDim / 2).fill(0),
      maxPositions: text.max_position_embeddings,
      tied: top.tie_word_embeddings,
      std: text.initializer_range,
      biases: [],
      headNorms: false,
      imageTokenId: top.image_token_id,
      visionTokenIds: [top.image_token_id],
    },
    rope,
    vision: {
      depth: vision.num_hidden_layers,
      width: vision.hidden_size,
      heads: vision.num_attention_heads,
      mlpWidth: vision.intermediate_size,
      patch: vision.patch_size,
      merge: top.scale_factor,
      positionsPerSide: Math.floor(vision.image_size / vision.patch_size),
      normEpsilon: vision.layer_norm_eps,
      std: vision.initializer_range,
    },
  };
}

function parseRope(text: z.output<typeof textSchema>, source: string): Rope {
  const [key, own] = text.rope_parameters
    ? (["rope_parameters", text.rope_parameters] as const)
    : (["rope_scaling", text.rope_scaling ?? {}] as const);
  const type = own["rope_type"] ?? own["type"] ?? "default"; // "type" before transformers 4.45
  const rope = parsePart(ropeSchema, { ...own, rope_type: type }, source, `text_config.${key}.`);
  return {
    theta: rope.rope_theta ?? text.rope_theta ?? 10_000,
    stretch:
      rope.rope_type === "default"
        ? null
        : {
            factor: rope.factor,
            lowFactor: rope.low_freq_factor,
            highFactor: rope.high_freq_factor,
            originalPositions: rope.original_max_position_embeddings ?? text.max_position_embeddings,
          },
  };
}

/** Qwen3-VL's config.json as one record. */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import {
  checkTower,
  parsePart,
  parseText,
  size,
  type TextConfig,
  type TextTraits,
  type VisionConfig,
  visionFields,
  visionSizes,
} from "../qwen_vl/config.ts";

/** Of transformers' Qwen3VLTextConfig. */
const traits: TextTraits = {
  normEpsilon: 1e-6,
  ropeTheta: 500_000,
  maxPositions: 128_000,
  headDim: 128,
  headNorms: true,
  biases: (attentionBias) => (attentionBias ? ["q_proj", "k_proj", "v_proj", "o_proj"] : []),
  ropeAxes: interleavedAxes,
};

/** Of transformers' Qwen3VLVisionConfig. */
const visionSchema = z.object({
  ...visionFields,
  depth: size.default(27),
  patch_size: size.default(16),
  hidden_size: size.default(1152),
  intermediate_size: size.default(4304),
  out_hidden_size: size.default(3584),
  hidden_act: z.literal("gelu_pytorch_tanh", "only gelu_pytorch_tanh is supported").default("gelu_pytorch_tanh"),
  num_position_embeddings: size.default(2304),
  deepstack_visual_indexes: z.array(z.number().int().min(0)).default([8, 16, 24]),
});

export interface DeepstackVision extends VisionConfig {
  /** Rows of the table of learned positions. */
  readonly positions: number;
  /** Rows along a side of the square that the table covers. */
  readonly positionSide: number;
  /** Blocks whose outputs go to language layers too, in the order of their mergers. */
  readonly deepstackBlocks: readonly number[];
}

export interface Qwen3VLConfig {
  readonly text: TextConfig;
  readonly vision: DeepstackVision;
}

/** Parses config.json; `source` names the file in errors. */
export function parseConfig(json: unknown, source: string): Qwen3VLConfig {
  const parsed = parseText(json, source, traits);
  const vision = parsePart(visionSchema, parsed.vision, source, "vision_config.");
  const { hidden_size: width, num_heads: heads, out_hidden_size: outWidth } = vision;
  checkTower({ width, heads, outWidth }, parsed.text, source, { width: "hidden_size", outWidth: "out_hidden_size" });
  const blocks = vision.deepstack_visual_indexes;
  const { depth } = parsed.text;
  if (blocks.some((block) => block >= vision.depth) || new Set(blocks).size < blocks.length || blocks.length > depth) {
    throw new UserError(
      `${source}: vision_config.deepstack_visual_indexes [${blocks}] must be different blocks below depth ${vision.depth}, at most one for each of the ${depth} language layers`,
    );
  }
  return {
    text: parsed.text,
    vision: {
      ...visionSizes(vision, { width, mlpWidth: vision.intermediate_size }),
      positions: vision.num_position_embeddings,
      positionSide: Math.floor(Math.sqrt(vision.num_position_embeddings)),
      deepstackBlocks: blocks,
    },
  };
}

/**
 * Frequencies take turns: time, height, width, time, … Height and width each have as many as their section says, and all
 * that is left turns with time.
 */
export function interleavedAxes([time, height, width]: readonly number[]): number[] {
  const sections = [time!, height!, width!];
  return Array.from({ length: time! + height! + width! }, (_, d) => {
    const axis = d % 3;
    return d < 3 * sections[axis]! ? axis : 0;
  });
}

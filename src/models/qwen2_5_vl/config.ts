/** Qwen2.5-VL's config.json as one record. */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import {
  checkTower,
  parsePart,
  parseText,
  qwen2Traits,
  size,
  type TextConfig,
  type VisionConfig,
  visionFields,
  visionSizes,
} from "../qwen_vl/config.ts";

/** Of transformers' Qwen2_5_VLVisionConfig. */
const visionSchema = z.object({
  ...visionFields,
  hidden_size: size.default(3584),
  intermediate_size: size.default(3420),
  out_hidden_size: size.default(3584),
  hidden_act: z.literal("silu", "only silu is supported").default("silu"),
  window_size: size.default(112),
  fullatt_block_indexes: z.array(z.number().int().min(0)).default([7, 15, 23, 31]),
  // Spaces the frames of a video in time; a still image has one frame, so that it moves nothing here.
  tokens_per_second: z.number().positive().default(4),
});

export interface WindowedVision extends VisionConfig {
  /** Image tokens along a window's side. */
  readonly windowTokens: number;
  /** Blocks that attend to the whole image. */
  readonly fullBlocks: readonly number[];
}

export interface Qwen25VLConfig {
  readonly text: TextConfig;
  readonly vision: WindowedVision;
}

/** Parses config.json; `source` names the file in errors. */
export function parseConfig(json: unknown, source: string): Qwen25VLConfig {
  const parsed = parseText(json, source, qwen2Traits);
  const vision = parsePart(visionSchema, parsed.vision, source, "vision_config.");
  const { hidden_size: width, num_heads: heads, out_hidden_size: outWidth } = vision;
  checkTower({ width, heads, outWidth }, parsed.text, source, { width: "hidden_size", outWidth: "out_hidden_size" });
  const windowTokens = Math.floor(Math.floor(vision.window_size / vision.spatial_merge_size) / vision.patch_size);
  if (windowTokens === 0) {
    throw new UserError(
      `${source}: vision_config.window_size ${vision.window_size} is smaller than an image token (patch_size ${vision.patch_size} x spatial_merge_size ${vision.spatial_merge_size})`,
    );
  }
  const sizes = visionSizes(vision, { width, mlpWidth: vision.intermediate_size });
  return { text: parsed.text, vision: { ...sizes, windowTokens, fullBlocks: vision.fullatt_block_indexes } };
}

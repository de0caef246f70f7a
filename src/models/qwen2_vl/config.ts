/** Qwen2-VL's config.json as one record. */
import { z } from "zod";
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

const visionSchema = z.object({
  ...visionFields,
  embed_dim: size.default(1280),
  mlp_ratio: z.number().positive().default(4),
  hidden_size: size.optional(),
  hidden_act: z.literal("quick_gelu").default("quick_gelu"),
});

export interface Qwen2VLConfig {
  readonly text: TextConfig;
  readonly vision: VisionConfig;
}

/** Parses config.json; `source` names the file in errors. */
export function parseConfig(json: unknown, source: string): Qwen2VLConfig {
  const parsed = parseText(json, source, qwen2Traits);
  const vision = parsePart(visionSchema, parsed.vision, source, "vision_config.");
  const width = vision.embed_dim;
  const keys = { width: "embed_dim", outWidth: "hidden_size" };
  checkTower({ width, heads: vision.num_heads, outWidth: vision.hidden_size }, parsed.text, source, keys);
  const mlpWidth = Math.floor(width * vision.mlp_ratio);
  return { text: parsed.text, vision: visionSizes(vision, { width, mlpWidth }) };
}

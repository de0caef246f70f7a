/** The family qwen3_vl: the dense models of Qwen3-VL of Hugging Face transformers (arXiv 2511.21631). */
import { plainTemplate } from "../qwen_vl/chat-templates.ts";
import { qwenVlFamily } from "../qwen_vl/family.ts";
import { nestedNames } from "../qwen_vl/names.ts";
import { parseConfig } from "./config.ts";
import { visionSpecs, visionStack } from "./vision.ts";

export const qwen3Vl = qwenVlFamily({
  modelType: "qwen3_vl",
  prefixes: nestedNames,
  defaultTemplate: plainTemplate,
  parseConfig,
  visionStack,
  visionSpecs,
  featureLevels: (vision) => 1 + vision.deepstackBlocks.length,
});

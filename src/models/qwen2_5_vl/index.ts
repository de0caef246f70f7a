/** The family qwen2_5_vl: Qwen2.5-VL of Hugging Face transformers (arXiv 2502.13923). */
import { assistantTemplate } from "../qwen_vl/chat-templates.ts";
import { qwenVlFamily } from "../qwen_vl/family.ts";
import { flatNames } from "../qwen_vl/names.ts";
import { parseConfig } from "./config.ts";
import { visionSpecs, visionStack } from "./vision.ts";

export const qwen25Vl = qwenVlFamily({
  modelType: "qwen2_5_vl",
  prefixes: flatNames,
  defaultTemplate: assistantTemplate,
  parseConfig,
  visionStack,
  visionSpecs,
  featureLevels: () => 1,
});

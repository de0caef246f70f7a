/** The family qwen2_vl: Qwen2-VL of Hugging Face transformers (arXiv 2409.12191). */
import { assistantTemplate } from "../qwen_vl/chat-templates.ts";
import { qwenVlFamily } from "../qwen_vl/family.ts";
import { flatNames } from "../qwen_vl/names.ts";
import { parseConfig } from "./config.ts";
import { visionSpecs, visionStack } from "./vision.ts";

export const qwen2Vl = qwenVlFamily({
  modelType: "qwen2_vl",
  prefixes: flatNames,
  defaultTemplate: assistantTemplate,
  parseConfig,
  visionStack,
  visionSpecs,
  featureLevels: () => 1,
});

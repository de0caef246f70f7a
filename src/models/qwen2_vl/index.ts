/** The family qwen2_vl: Qwen2-VL of Hugging Face transformers (arXiv 2409.12191). */
import type { ModelFamily } from "../model.ts";
import { parseConfig } from "./config.ts";
import { languageStack, languageWeights } from "./language.ts";
import { loadProcessor } from "./processor.ts";
import { visionStack, visionWeights } from "./vision.ts";

export const qwen2Vl: ModelFamily = {
  modelType: "qwen2_vl",
  loadProcessor,
  create: (json, source) => {
    const config = parseConfig(json, source);
    return {
      modelType: "qwen2_vl",
      config: json,
      weights: { ...visionWeights(config), ...languageWeights(config) },
      vision: visionStack(config),
      language: languageStack(config),
      imageTokenId: config.imageTokenId,
      visionTokenIds: config.visionTokenIds,
      canonicalName: (stored) => canonicalName(stored, config.tied),
      moduleName: (layer) => layer.replace(/^model\./, "model.language_model.").replace(/^visual\./, "model.visual."),
    };
  },
};

/** transformers 5 keeps both parts under "model." in memory; files of either layout load alike. */
function canonicalName(stored: string, tied: boolean): string | null {
  if (tied && stored === "lm_head.weight") return null;
  return stored.replace(/^model\.language_model\./, "model.").replace(/^model\.visual\./, "visual.");
}

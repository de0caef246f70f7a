/** The families idefics3 and smolvlm: one model under two names (arXiv 2408.12637, arXiv 2504.05299). */
import type { ModelFamily } from "../model.ts";
import { parseConfig } from "./config.ts";
import { languageStack, languageWeights } from "./language.ts";
import { visionStack, visionWeights } from "./vision.ts";

export const idefics3: ModelFamily = family("idefics3");
export const smolvlm: ModelFamily = family("smolvlm");

function family(modelType: string): ModelFamily {
  return {
    modelType,
    loadProcessor: async (...of) => {
      const { loadProcessor } = await import("./processor.ts"); // not in an engine's worker
      return loadProcessor(...of);
    },
    create: (json, source) => {
      const config = parseConfig(json, source);
      return {
        modelType,
        config: json,
        weights: { ...visionWeights(config), ...languageWeights(config) },
        vision: visionStack(config),
        language: languageStack(config),
        imageTokenId: config.text.imageTokenId,
        visionTokenIds: config.text.visionTokenIds,
        canonicalName: (stored) => canonicalName(stored, config.text.tied),
        moduleName: (layer) => layer,
      };
    },
  };
}

/** Files of the model without its head, as of a bare `Idefics3Model`, leave out "model."; a tied head's copy is the embedding's. */
function canonicalName(stored: string, tied: boolean): string {
  if (tied && stored === "lm_head.weight") return "model.text_model.embed_tokens.weight";
  return /^(vision_model|connector|text_model)\./.test(stored) ? `model.${stored}` : stored;
}

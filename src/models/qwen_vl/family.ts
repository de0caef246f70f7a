/** Makes a Qwen-VL family from its parts: what it parses, its tower, its names. */
import type { ModelFamily, VisionStack } from "../model.ts";
import type { TextConfig, VisionConfig } from "./config.ts";
import { languageStack, languageWeights } from "./language.ts";
import { canonicalName, moduleName, type Prefixes } from "./names.ts";
import { type TowerSpecs, towerWeights } from "./vision.ts";

export interface FamilyParts<V extends VisionConfig> {
  readonly modelType: string;
  readonly prefixes: Prefixes;
  /** Stands in for a checkpoint's missing chat template. */
  readonly defaultTemplate: string;
  parseConfig(json: unknown, source: string): { readonly text: TextConfig; readonly vision: V };
  visionStack(vision: V, outWidth: number, prefix: string): VisionStack;
  visionSpecs(vision: V, outWidth: number): TowerSpecs;
  /** Rows of image features per image token; see LanguageStack. */
  featureLevels(vision: V): number;
}

export function qwenVlFamily<V extends VisionConfig>(parts: FamilyParts<V>): ModelFamily {
  const { modelType, prefixes } = parts;
  return {
    modelType,
    loadProcessor: async (folder, limits, json, source) => {
      const { loadProcessor } = await import("./processor.ts"); // not in an engine's worker
      const { defaultTemplate } = parts;
      return loadProcessor(folder, limits, { ...parts.parseConfig(json, source), json, source, defaultTemplate });
    },
    create: (json, source) => {
      const { text, vision } = parts.parseConfig(json, source);
      const language = {
        prefix: prefixes.language,
        merge: vision.merge,
        featureLevels: parts.featureLevels(vision),
      };
      return {
        modelType,
        config: json,
        weights: {
          ...towerWeights(vision, prefixes.vision, parts.visionSpecs(vision, text.width)),
          ...languageWeights(text, prefixes.language),
        },
        vision: parts.visionStack(vision, text.width, prefixes.vision),
        language: languageStack(text, language),
        imageTokenId: text.imageTokenId,
        visionTokenIds: text.visionTokenIds,
        canonicalName: (stored) => canonicalName(stored, prefixes, text.tied),
        moduleName,
      };
    },
  };
}

/** The model families, and opening a Hugging Face folder's config.json with the right one. */
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import { readJson, shown } from "../io/files.ts";
import { checkConfigSizes } from "./config-limits.ts";
import { idefics3, smolvlm } from "./idefics3/index.ts";
import type { Model, ModelFamily } from "./model.ts";
import { qwen25Vl } from "./qwen2_5_vl/index.ts";
import { qwen2Vl } from "./qwen2_vl/index.ts";
import { qwen3Vl } from "./qwen3_vl/index.ts";
import { hasScoreHead, withScoreHead } from "./score-head.ts";

/** Every family by its model_type. */
export const families = {
  qwen2_vl: qwen2Vl,
  qwen2_5_vl: qwen25Vl,
  qwen3_vl: qwen3Vl,
  idefics3,
  smolvlm,
} as const satisfies Readonly<Record<string, ModelFamily>>;

/** The model that a folder's config.json describes. */
export function openModel(folder: string): Model {
  const { family, config, source } = readConfig(folder);
  const model = family.create(config, source);
  return hasScoreHead(config) ? withScoreHead(model) : model;
}

/** The processor of a folder's model, from `files` where that is another folder (an adapter's); no weights are needed. */
export function openProcessor(
  folder: string,
  limits: Parameters<ModelFamily["loadProcessor"]>[1] = {},
  files = folder,
): Promise<Processor> {
  const { family, config, source } = readConfig(folder);
  return family.loadProcessor(files, limits, config, source);
}

function readConfig(folder: string) {
  const source = join(folder, "config.json");
  const config = readJson(source, "model configuration");
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new UserError(`${source}: expected an object with model_type`);
  }
  const { model_type: modelType } = config as { readonly model_type?: unknown };
  if (typeof modelType !== "string") throw new UserError(`${source}: there is no model_type`);
  if (!Object.hasOwn(families, modelType)) {
    throw new UserError(
      `${source}: unknown model_type ${shown(modelType)}, known: ${Object.keys(families).join(", ")}`,
    );
  }
  checkConfigSizes(config, source);
  const { quantization_config: quantised } = config as { readonly quantization_config?: unknown };
  if (quantised != null) {
    throw new UserError(
      `${source}: quantization_config: weights that another tool has quantised are not read: take the whole ones (viva quantises what it loads, by model.quantize_frozen)`,
    );
  }
  const family: ModelFamily = families[modelType as keyof typeof families];
  return { family, config: config as Record<string, unknown>, source };
}

/** LoRA adapters in PEFT's layout: adapter_config.json and adapter_model.safetensors. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { readJson, writeFileAtomic } from "../io/files.ts";
import { openSafetensors, writeSafetensors } from "../io/safetensors.ts";
import type { LoraOptions } from "./lora.ts";
import { isAdapterWeight } from "./lora.ts";
import type { Model } from "./model.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

const configSchema = z.looseObject({
  peft_type: z.literal("LORA", { error: "only LORA adapters can be read" }),
  base_model_name_or_path: z.string(),
  r: z.int().min(1),
  lora_alpha: z.number(),
  target_modules: z.union([z.string(), z.array(z.string())]),
  use_rslora: z.literal(false, { error: "rank-stabilised scaling is not supported" }).optional(),
  use_dora: z.literal(false, { error: "DoRA is not supported" }).optional(),
  fan_in_fan_out: z.literal(false).optional(),
});

/** An adapter's options and the model it belongs to. */
export interface AdapterConfig extends LoraOptions {
  readonly base: string;
}

export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, CONFIG));
}

export function readAdapterConfig(folder: string): AdapterConfig {
  const path = join(folder, CONFIG);
  const result = configSchema.safeParse(readJson(path, "adapter configuration"));
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new UserError(`${path}: ${issue.path.join(".")}: ${issue.message}`);
  }
  const { base_model_name_or_path: base, r, lora_alpha, target_modules } = result.data;
  return { base, r, lora_alpha, target_modules };
}

/** Reads an adapter's weights into the model's own names; missing and unknown ones are one clear error. */
export function readAdapter(model: Model, folder: string): Record<string, Float32Array> {
  const path = join(folder, WEIGHTS);
  const file = openSafetensors(path);
  try {
    const expected = new Map(adapterNames(model).map((name) => [storedName(model, name), name]));
    const missing = [...expected.keys()].find((name) => !file.names.includes(name));
    const unknown = file.names.find((name) => !expected.has(name));
    if (missing !== undefined) throw new UserError(`${path}: the adapter weight ${missing} is missing`);
    if (unknown !== undefined) throw new UserError(`${path}: ${unknown} belongs to no layer that ${CONFIG} names`);
    return Object.fromEntries(
      [...expected].map(([stored, name]) => {
        const { shape } = model.weights[name]!;
        const found = file.info(stored).shape;
        if (found.join() !== shape.join()) {
          throw new UserError(`${path}: ${stored} has shape [${found}], the model needs [${shape}]`);
        }
        return [name, file.readFloat32(stored)];
      }),
    );
  } finally {
    file.close();
  }
}

/** Writes the adapter's configuration and weights. */
export function writeAdapter(
  model: Model,
  folder: string,
  o: AdapterConfig,
  value: (name: string) => Float32Array,
): void {
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: o.base,
    r: o.r,
    lora_alpha: o.lora_alpha,
    lora_dropout: 0,
    target_modules: o.target_modules,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    use_rslora: false,
    use_dora: false,
  };
  writeFileAtomic(join(folder, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
  const tensors = adapterNames(model).map((name) => {
    return { name: storedName(model, name), shape: model.weights[name]!.shape, data: value(name) };
  });
  writeSafetensors(join(folder, WEIGHTS), tensors, "F32");
}

function adapterNames(model: Model): string[] {
  return Object.keys(model.weights).filter(isAdapterWeight);
}

/** PEFT wraps the model in "base_model.model." and names layers as the module tree does. */
function storedName(model: Model, name: string): string {
  const [, layer, suffix] = /^(.*)\.(lora_[AB]\.weight)$/.exec(name)!;
  return `base_model.model.${model.moduleName(layer!)}.${suffix}`;
}

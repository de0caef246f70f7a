/** LoRA adapters in PEFT's layout: adapter_config.json and adapter_model.safetensors. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { writeFileAtomic } from "../io/files.ts";
import { requireFinite } from "../io/finite.ts";
import { openSafetensors, type SafetensorsFile, writeSafetensors } from "../io/safetensors.ts";
import { LORA_A, LORA_B } from "../nn/lora.ts";
import { ADAPTER_CONFIG, type AdapterConfig, adapterConfigJson } from "./adapter-config.ts";
import type { Model } from "./model.ts";
import { SCORE_WEIGHT } from "./score-head.ts";

export { ADAPTER_CONFIG, type AdapterConfig, readAdapterConfig } from "./adapter-config.ts";

/** The file of an adapter's matrices. */
export const ADAPTER_WEIGHTS = "adapter_model.safetensors";
/** PEFT wraps the model and names layers behind this as the module tree does. */
const PEFT_PREFIX = "base_model.model.";

export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, ADAPTER_CONFIG));
}

/** A weight of an adapter as it is stored: of a matrix a layer's own rank, which the model's matrix may exceed. */
interface StoredWeight {
  /** Its name among the model's weights. */
  readonly name: string;
  /** PEFT's name. */
  readonly stored: string;
  readonly shape: readonly [number, number];
}

/** An adapter's matrices, read one layer at a time. */
export interface AdapterReader {
  /** A [rank, in] and B [out, rank] of an adapted layer, row-major; null for any other. RunError where one is not finite. */
  layer(name: string): { readonly a: Float32Array; readonly b: Float32Array } | null;
  /** The score head's weight; null for an adapter without one. */
  scoreHead(): Float32Array | null;
  close(): void;
}

/** Opens the adapter of a model with adapters; missing, unknown and misshapen weights are one clear error. */
export function openAdapter(model: Model, folder: string): AdapterReader {
  const path = join(folder, ADAPTER_WEIGHTS);
  if (!existsSync(path) && existsSync(join(folder, "adapter_model.bin"))) {
    throw new UserError(
      `${folder} has no ${ADAPTER_WEIGHTS}; adapter_model.bin cannot be read: convert it to safetensors first`,
    );
  }
  const file = openSafetensors(path);
  try {
    const stored = storedNames(model, file, path);
    for (const { name, stored: usual, shape } of [...matrices(model), ...heads(model)]) {
      const found = stored.get(name);
      if (found === undefined) throw new UserError(`${path}: the adapter weight ${usual} is missing`);
      const { shape: own } = file.info(found);
      if (own.join() !== shape.join()) {
        throw new UserError(`${path}: ${found} has shape [${own}], ${ADAPTER_CONFIG} and the model ask for [${shape}]`);
      }
    }
    return {
      layer: (name) => {
        if (model.adapters?.has(name) !== true) return null;
        const read = (suffix: string) => {
          const own = stored.get(`${name}.${suffix}`)!;
          return requireFinite(file.readFloat32(own), own, path);
        };
        return { a: read(LORA_A), b: read(LORA_B) };
      },
      scoreHead: () => {
        const own = model.scoreHead === undefined ? undefined : stored.get(model.scoreHead);
        return own === undefined ? null : requireFinite(file.readFloat32(own), own, path);
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Reads all of an adapter into matrices of the model's own shapes, zero where a layer's rank is smaller. */
export function readAdapter(model: Model, folder: string): Record<string, Float32Array> {
  const adapter = openAdapter(model, folder);
  try {
    const values: Record<string, Float32Array> = {};
    for (const [layer, { rank }] of model.adapters!) {
      const { a, b } = adapter.layer(layer)!;
      values[`${layer}.${LORA_A}`] = resizeRows(a, model.weights[`${layer}.${LORA_A}`]!.shape);
      values[`${layer}.${LORA_B}`] = resizeColumns(b, rank, model.weights[`${layer}.${LORA_B}`]!.shape[1]!);
    }
    const head = adapter.scoreHead();
    return head === null ? values : { ...values, [model.scoreHead!]: head };
  } finally {
    adapter.close();
  }
}

/** Writes the adapter's configuration and weights; `value` gives a matrix in the model's own shape. RunError where one is not finite. */
export function writeAdapter(
  model: Model,
  folder: string,
  o: AdapterConfig,
  value: (name: string) => Float32Array,
): void {
  writeMatrices(model, folder, o, ({ name, shape }) => {
    const width = model.weights[name]!.shape[1]!;
    const data = value(name);
    return name.endsWith(LORA_A) ? data.subarray(0, shape[0] * shape[1]) : resizeColumns(data, width, shape[1]);
  });
}

/** Writes what an `AdapterReader` reads: `layer` gives A and B in the layer's own rank. */
export function writeAdapterLayers(
  model: Model,
  folder: string,
  o: AdapterConfig,
  layer: (name: string) => { readonly a: Float32Array; readonly b: Float32Array },
): void {
  const layers = new Map([...(model.adapters ?? [])].map(([name]) => [name, layer(name)] as const));
  writeMatrices(model, folder, o, ({ name }) => {
    const isA = name.endsWith(LORA_A);
    const { a, b } = layers.get(name.slice(0, -(isA ? LORA_A : LORA_B).length - 1))!;
    return isA ? a : b;
  });
}

function writeMatrices(
  model: Model,
  folder: string,
  o: AdapterConfig,
  data: (matrix: StoredWeight) => Float32Array,
): void {
  const path = join(folder, ADAPTER_WEIGHTS);
  const tensors = [...matrices(model), ...heads(model)].map((matrix) => {
    const { stored: name, shape } = matrix;
    return { name, shape, data: requireFinite(data(matrix), name, `what was to be written to ${path}`) };
  });
  writeAdapterConfig(model, folder, o);
  writeSafetensors(path, tensors, "F32");
}

/** Writes adapter_config.json alone. */
export function writeAdapterConfig(model: Model, folder: string, o: AdapterConfig): void {
  writeFileAtomic(join(folder, ADAPTER_CONFIG), `${JSON.stringify(adapterConfigJson(model, o), null, 2)}\n`);
}

/** What is stored whole beside an adapter's matrices. */
function heads({ scoreHead, weights }: Model): readonly StoredWeight[] {
  if (scoreHead === undefined) return [];
  const shape = weights[scoreHead]!.shape as readonly [number, number];
  return [{ name: scoreHead, stored: PEFT_PREFIX + scoreHead, shape }];
}

function matrices(model: Model): readonly StoredWeight[] {
  return [...(model.adapters ?? [])].flatMap(([layer, { rank }]) => {
    const [out, into] = model.weights[`${layer}.weight`]!.shape as [number, number];
    const named = (suffix: string, shape: readonly [number, number]): StoredWeight => {
      return { name: `${layer}.${suffix}`, stored: `${PEFT_PREFIX}${model.moduleName(layer)}.${suffix}`, shape };
    };
    return [named(LORA_A, [rank, into]), named(LORA_B, [out, rank])];
  });
}

/** The file's names by the model's; module trees of transformers 4 and 5 read alike. */
function storedNames(model: Model, file: SafetensorsFile, path: string): ReadonlyMap<string, string> {
  const byName = new Map<string, string>();
  for (const stored of file.names) {
    if (stored === PEFT_PREFIX + SCORE_WEIGHT) {
      if (model.scoreHead === undefined) {
        throw new UserError(`${path}: ${stored} is the score head of a reward model: it is opened as one, not merged`);
      }
      byName.set(SCORE_WEIGHT, stored);
      continue;
    }
    const [, module, suffix] = /^base_model\.model\.(.*)\.(lora_[AB]\.weight)$/.exec(stored) ?? [];
    const weight = module === undefined ? null : model.canonicalName(`${module}.weight`);
    const layer = weight?.slice(0, -".weight".length);
    if (layer === undefined || model.adapters?.has(layer) !== true) {
      throw new UserError(`${path}: ${stored} belongs to no layer that ${ADAPTER_CONFIG} names`);
    }
    byName.set(`${layer}.${suffix}`, stored);
  }
  return byName;
}

/** A's rows, with zero rows below. */
function resizeRows(data: Float32Array, shape: readonly number[]): Float32Array {
  const resized = new Float32Array(shape[0]! * shape[1]!);
  resized.set(data);
  return resized;
}

/** B's columns cut or filled with zeros: rows of `from` numbers become rows of `to`. */
function resizeColumns(data: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return data;
  const rows = data.length / from;
  const resized = new Float32Array(rows * to);
  const kept = Math.min(from, to);
  for (let row = 0; row < rows; row++) resized.set(data.subarray(row * from, row * from + kept), row * to);
  return resized;
}

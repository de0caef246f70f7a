/** A folder's weights under their Hugging Face names: one model.safetensors, or shards behind an index. */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { readJson, writeFileAtomic } from "./files.ts";
import {
  bytesPerValue,
  type FloatStorage,
  type NamedTensor,
  openSafetensors,
  type SafetensorsFile,
  type SafetensorsMetadata,
  type StoredTensorInfo,
  writeSafetensors,
} from "./safetensors.ts";
import { isTensorName } from "./safetensors-header.ts";

/** The tensors of a folder, read one at a time. */
export interface Weights {
  readonly names: readonly string[];
  has(name: string): boolean;
  info(name: string): StoredTensorInfo;
  /** The file that holds a tensor. */
  fileOf(name: string): string;
  /** The header's texts; where there are several shards, of the first. */
  readonly metadata: SafetensorsMetadata;
  /** The values of an F32, F16 or BF16 tensor, row-major. */
  readFloat32(name: string): Float32Array;
  /** Rows `from` to `to` (exclusive) along the first dimension; nothing else of the file is read. */
  readRows(name: string, from: number, to: number): Float32Array;
  close(): void;
}

export interface SaveWeightsOptions {
  /** Default F32. */
  readonly dtype?: FloatStorage;
  /** A shard is closed before it would grow beyond this many bytes of data; default 5 GB. */
  readonly maxShardBytes?: number;
  /** Kept in every file beside "format". */
  readonly metadata?: SafetensorsMetadata;
}

/** The whole of a small model's weights. */
export const SINGLE_WEIGHTS = "model.safetensors";
/** Which shard holds which tensor. */
export const WEIGHTS_INDEX = "model.safetensors.index.json";

/** Opens model.safetensors, else the shards of model.safetensors.index.json; every header is checked now. */
export function openWeights(folder: string): Weights {
  const single = join(folder, SINGLE_WEIGHTS);
  if (existsSync(single)) {
    const file = openSafetensors(single);
    return collect(folder, new Map(file.names.map((name) => [name, file])), [file]);
  }
  const index = join(folder, WEIGHTS_INDEX);
  if (!existsSync(index))
    throw new UserError(`${folder} holds neither ${SINGLE_WEIGHTS} nor ${WEIGHTS_INDEX}${otherFormat(folder)}`);
  const weightMap = readWeightMap(index);
  const shards = new Map<string, SafetensorsFile>();
  try {
    for (const shard of new Set(weightMap.values())) {
      if (!existsSync(join(folder, shard))) throw new UserError(`${index} names shard ${shard}, which is missing`);
      shards.set(shard, openSafetensors(join(folder, shard)));
    }
    const held = new Map([...shards].map(([shard, file]) => [shard, new Set(file.names)]));
    for (const [name, shard] of weightMap) {
      if (!held.get(shard)!.has(name))
        throw new UserError(`${index} places tensor "${name}" in ${shard}, which lacks it`);
    }
  } catch (error) {
    for (const file of shards.values()) file.close();
    throw error;
  }
  const files = new Map([...weightMap].map(([name, shard]) => [name, shards.get(shard)!]));
  return collect(folder, files, [...shards.values()]);
}

/** Writes model.safetensors, or shards and their index when the data exceeds `maxShardBytes`; removes what it replaces. */
export function saveWeights(folder: string, tensors: Iterable<NamedTensor>, options: SaveWeightsOptions = {}): void {
  const dtype = options.dtype ?? "F32";
  const shards = divide([...tensors], dtype, options.maxShardBytes ?? 5e9);
  const of = String(shards.length).padStart(5, "0");
  const files = shards.map((_, i) =>
    shards.length === 1 ? SINGLE_WEIGHTS : `model-${String(i + 1).padStart(5, "0")}-of-${of}.safetensors`,
  );
  for (const [i, shard] of shards.entries()) {
    writeSafetensors(join(folder, files[i]!), shard, dtype, options.metadata);
  }
  if (shards.length > 1) {
    const entries = shards.flatMap((shard, i) => shard.map(({ name }) => [name, files[i]!] as const));
    const total = shards.flat().reduce((sum, tensor) => sum + bytesOf(tensor, dtype), 0);
    const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(entries.sort(byName)) };
    writeFileAtomic(join(folder, WEIGHTS_INDEX), `${JSON.stringify(index, null, 2)}\n`);
  }
  const keep = new Set(shards.length > 1 ? [...files, WEIGHTS_INDEX] : files);
  for (const file of readdirSync(folder)) {
    const isWeights =
      file === SINGLE_WEIGHTS || file === WEIGHTS_INDEX || /^model-\d{5}-of-\d{5}\.safetensors$/.test(file);
    if (isWeights && !keep.has(file)) rmSync(join(folder, file));
  }
}

function collect(
  folder: string,
  files: ReadonlyMap<string, SafetensorsFile>,
  open: readonly SafetensorsFile[],
): Weights {
  const file = (name: string): SafetensorsFile => {
    const found = files.get(name);
    if (found === undefined) throw new UserError(`the weights in ${folder} hold no tensor "${name}"`);
    return found;
  };
  return {
    names: [...files.keys()],
    has: (name) => files.has(name),
    info: (name) => file(name).info(name),
    fileOf: (name) => file(name).path,
    metadata: open[0]?.metadata ?? {},
    readFloat32: (name) => file(name).readFloat32(name),
    readRows: (name, from, to) => file(name).readRows(name, from, to),
    close: () => {
      for (const each of open) each.close();
    },
  };
}

/** The index's weight_map; a shard must be a file name in the same folder. */
export function readWeightMap(index: string): Map<string, string> {
  const record = readJson(index, "weight index") as { weight_map?: unknown } | null;
  const weightMap = record?.weight_map;
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw new UserError(`${index} has no "weight_map" object`);
  }
  const entries = Object.entries(weightMap);
  if (entries.length === 0) throw new UserError(`${index} has an empty "weight_map"`);
  for (const [name, shard] of entries) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const isFileName = typeof shard === "string" && /^(?!\.{1,2}$)[^/\\:\u0000-\u001f\u007f]{1,255}$/.test(shard);
    if (!isTensorName(name))
      throw new UserError(`${index} names ${JSON.stringify(name.slice(0, 80))}, which no tensor is called`);
    if (!isFileName) {
      const shown = typeof shard === "string" ? JSON.stringify(shard.slice(0, 80)) : "no file";
      throw new UserError(
        `${index} places tensor "${name}" in ${shown}; ` + "a shard must be a file name in the same folder",
      );
    }
  }
  return new Map(entries);
}

/** What to say about a folder without readable weights. */
function otherFormat(folder: string): string {
  if (!existsSync(folder)) return ": there is no such folder";
  if (!statSync(folder).isDirectory()) return ": it is a file, not a model folder";
  const files = readdirSync(folder);
  if (files.some((file) => file.startsWith("adapter_model."))) {
    return "; it holds an adapter, which needs the model it was trained on";
  }
  const other = files.find((file) => /\.(bin|pt|pth|gguf|h5|msgpack)$/.test(file));
  return other === undefined ? "" : `; ${other} cannot be read: convert it to safetensors first`;
}

/** Consecutive groups of at most `most` bytes; a larger tensor stands alone. */
function divide(tensors: readonly NamedTensor[], dtype: FloatStorage, most: number): NamedTensor[][] {
  const shards: NamedTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = bytesOf(tensor, dtype);
    if (bytes + size > most && shards.at(-1)!.length > 0) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(tensor);
    bytes += size;
  }
  return shards;
}

function bytesOf(tensor: NamedTensor, dtype: FloatStorage): number {
  return tensor.shape.reduce((product, size) => product * size, bytesPerValue(dtype));
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : 1;
}

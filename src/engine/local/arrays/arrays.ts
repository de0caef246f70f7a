/**
 * Where the numbers of weights, gradients, moments and activations lie, and what the engine does with whole arrays there. It
 * holds them as `TensorData`; on a device their `data` is there only after `fetch`. Whatever is asked for is done in order.
 */
import type { Params } from "../../../compiler/tensor.ts";
import type { TensorData } from "../../../core/tensor-data.ts";
import type { AdamWOptions } from "../../../nn/adamw.ts";
import type { DeviceMemory } from "../../../runtime/device-memory.ts";
import type { CacheShape } from "./cache-programs.ts";

/** First and second moments of a weight. */
export interface Moments {
  readonly first: TensorData;
  readonly second: TensorData;
}

/** How AdamW moves all weights of one step. */
export interface Update extends Omit<AdamWOptions, "weightDecay"> {
  /** Counts from 1. */
  readonly step: number;
  /** Multiplies every gradient: clipping. */
  readonly gradientScale: number;
}

export interface UpdatedWeight extends Moments {
  readonly weight: TensorData;
  readonly gradient: TensorData;
  readonly weightDecay: number;
}

export interface Arrays {
  /** The device's memory; null on the host. */
  readonly memory: DeviceMemory | null;
  /** The same array there, from a host array that nobody changes any more. */
  hold(value: TensorData): TensorData;
  /** Gives memory free; arrays that are the host's stay as they are. */
  release(values: Iterable<TensorData | undefined>): void;
  /** Makes `data` readable until the array changes; what comes from a device for it is counted under a name. */
  fetch(values: Iterable<TensorData>, what: string): Promise<void>;
  /** Ends what `fetch` began. */
  forget(values: Iterable<TensorData>): void;
  /** Gives an array other numbers, from a host array that nobody changes any more. */
  write(target: TensorData, data: Float32Array): void;
  copy(value: TensorData): TensorData;
  zerosLike(value: TensorData): TensorData;
  /** total ← total + added, for each of the arrays. */
  add(totals: readonly TensorData[], added: readonly TensorData[]): void;
  /** total ← keep · total + (1 − keep) · other, for each of the arrays. */
  mix(totals: readonly TensorData[], others: readonly TensorData[], keep: number): void;
  /** Rows [index.length, width] of x [n, width]. */
  rows(x: TensorData, index: Int32Array): TensorData;
  /** Adds rows [index.length, …] to those of `total` [n, …] at `index`; rows at −1 are skipped. */
  addRows(total: TensorData, index: Int32Array, rows: TensorData): void;
  /** The global Euclidean norm. */
  norm(values: readonly TensorData[]): Promise<number>;
  /** One step of AdamW; only weights and their moments change. */
  adamW(weights: readonly UpdatedWeight[], o: Update): void;
  /** Key-value caches there; null where they are arrays of the host (`KeyValueCache`). */
  readonly caches: CacheArrays | null;
  close(): Promise<void>;
}

/** What is done with the caches of all layers at once; each gives new arrays, the old ones stay until their release. */
export interface CacheArrays {
  empty(shape: CacheShape, rows: Int32Array, positions: Int32Array): readonly TensorData[];
  select(
    shape: CacheShape,
    held: readonly TensorData[],
    rows: Int32Array,
    positions: Int32Array,
  ): readonly TensorData[];
  append(shape: CacheShape, held: readonly TensorData[], added: TensorData, places: Int32Array): readonly TensorData[];
  addSlot(
    shape: CacheShape,
    held: readonly TensorData[],
    added: TensorData,
    positions: Int32Array,
  ): readonly TensorData[];
  release(held: readonly TensorData[]): void;
}

/** Every array of `values` there. */
export function holdAll(arrays: Arrays, values: Params<TensorData>): Params<TensorData> {
  if (arrays.memory === null) return values;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, arrays.hold(value)]));
}

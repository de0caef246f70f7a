/**
 * Where the numbers of weights, gradients, moments and activations lie, and what the engine does with whole arrays there. It
 * holds them as `TensorData`; on a device their `data` is there only after `fetch`. Whatever is asked for is done in order.
 */
import type { Params } from "../../../compiler/tensor.ts";
import type { TensorData } from "../../../core/tensor-data.ts";
import type { AdamWOptions } from "../../../nn/adamw.ts";
import type { DeviceMemory } from "../../../runtime/device-memory.ts";

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
  /** total ← total + added */
  add(total: TensorData, added: TensorData): void;
  /** Rows [index.length, width] of x [n, width]. */
  rows(x: TensorData, index: Int32Array): TensorData;
  /** Adds rows [index.length, …] to those of `total` [n, …] at `index`; rows at −1 are skipped. */
  addRows(total: TensorData, index: Int32Array, rows: TensorData): void;
  /** The global Euclidean norm. */
  norm(values: readonly TensorData[]): Promise<number>;
  /** One step of AdamW; only the weight and its moments change. */
  adamW(weight: TensorData, gradient: TensorData, moments: Moments, weightDecay: number, o: Update): void;
  close(): Promise<void>;
}

/** Every array of `values` there. */
export function holdAll(arrays: Arrays, values: Params<TensorData>): Params<TensorData> {
  if (arrays.memory === null) return values;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, arrays.hold(value)]));
}

/**
 * Several adapters of one model merged on their dense updates, layer by layer, one weight in memory at a time: as the whole
 * model's weights, or as the adapter of a rank that comes nearest. Updates are s·B A, never the factors: the mean of
 * products is not the product of means. An adapter that leaves a layer alone counts as an update of 0 there.
 */
import { randomKey } from "../core/random.ts";
import { requireFinite } from "../io/finite.ts";
import type { NamedTensor } from "../io/safetensors.ts";
import { type MergeOptions, mergeUpdates } from "../nn/merge.ts";
import { truncate } from "../nn/svd.ts";
import type { AdapterReader } from "./adapter-files.ts";
import type { LoraOptions } from "./lora-targets.ts";
import { addProduct, plainWeights } from "./merge.ts";
import type { Model } from "./model.ts";
import type { StoredWeights } from "./stored-weights.ts";

export { type MergeMethod, mergeMethods } from "../nn/merge.ts";

/** An adapter on the base: `model` is the base with it. */
export interface OpenAdapter {
  readonly model: Model;
  readonly reader: AdapterReader;
}

/** What merging is told beside the adapters. */
export type Merging = Omit<MergeOptions, "key">;

/** A and B of a layer, row-major. */
export interface LayerMatrices {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** The tensors of `base` under its Hugging Face names, with the merged update of every adapted layer. */
export function combinedWeights(
  base: Model,
  weights: StoredWeights,
  adapters: readonly OpenAdapter[],
  merging: Merging,
): readonly NamedTensor[] {
  const adapted = adaptedLayersOf(adapters);
  return changedWeights(base, weights, (layer) => {
    return adapted.has(layer) ? mergedUpdate(base, layer, adapters, merging) : null;
  });
}

/** The tensors of a model, with what `update` gives for a layer added to its matrix. */
export function changedWeights(
  base: Model,
  weights: StoredWeights,
  update: (layer: string) => ArrayLike<number> | null,
): readonly NamedTensor[] {
  return plainWeights(base, weights).map((tensor) => {
    const layer = tensor.name.replace(/\.weight$/, "");
    return {
      name: tensor.name,
      shape: tensor.shape,
      get data() {
        const values = tensor.data;
        const added = layer === tensor.name ? null : update(layer);
        if (added === null) return values;
        for (let i = 0; i < values.length; i++) values[i]! += added[i]!;
        return requireFinite(values, tensor.name, "the model with its adapters merged");
      },
    };
  });
}

/** The merged update as an adapter of a given rank, and the share of its Frobenius norm that the rank loses. */
export interface NearestAdapter {
  readonly options: LoraOptions;
  readonly layers: ReadonlyMap<string, LayerMatrices>;
  readonly lostShare: number;
}

/** The nearest adapter of rank `rank`, of scale 1, on every layer that one of the adapters has. */
export function nearestAdapter(
  base: Model,
  adapters: readonly OpenAdapter[],
  merging: Merging,
  rank: number,
): NearestAdapter {
  const layers = new Map<string, LayerMatrices>();
  let [square, lostSquare] = [0, 0];
  for (const layer of adaptedLayersOf(adapters)) {
    const [rows, columns] = base.weights[`${layer}.weight`]!.shape as [number, number];
    const update = mergedUpdate(base, layer, adapters, merging);
    const { a, b, lost } = truncate(update, rows, columns, rank);
    for (const value of update) square += value * value;
    lostSquare += lost * lost;
    layers.set(layer, { a: Float32Array.from(a), b: Float32Array.from(b) });
  }
  const options = { r: rank, lora_alpha: rank, target_modules: [...layers.keys()].map((it) => base.moduleName(it)) };
  return { options, layers, lostShare: square === 0 ? 0 : Math.sqrt(lostSquare / square) };
}

function adaptedLayersOf(adapters: readonly OpenAdapter[]): ReadonlySet<string> {
  return new Set(adapters.flatMap(({ model }) => [...(model.adapters?.keys() ?? [])]));
}

function mergedUpdate(base: Model, layer: string, adapters: readonly OpenAdapter[], merging: Merging): Float32Array {
  const [rows, columns] = base.weights[`${layer}.weight`]!.shape as [number, number];
  const updates = adapters.map((adapter) => updateOf(adapter, layer, rows * columns));
  return mergeUpdates(updates, { ...merging, key: randomKey(0, "merge", layer) });
}

function updateOf({ model, reader }: OpenAdapter, layer: string, size: number): Float32Array {
  const update = new Float32Array(size);
  const own = model.adapters?.get(layer);
  const stored = own === undefined ? null : reader.layer(layer);
  if (stored !== null) addProduct(update, stored.b, stored.a, own!.rank, own!.scaling);
  return update;
}

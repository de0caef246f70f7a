/** A model's weights with several adapters merged into them, layer by layer on dense updates: one weight in memory at a time. */
import { randomKey } from "../core/random.ts";
import { requireFinite } from "../io/finite.ts";
import type { NamedTensor } from "../io/safetensors.ts";
import { type MergeOptions, mergeUpdates } from "../nn/merge.ts";

export { type MergeMethod, mergeMethods } from "../nn/merge.ts";

import type { AdapterReader } from "./adapter-files.ts";
import { addProduct, plainWeights } from "./merge.ts";
import type { Model } from "./model.ts";
import type { StoredWeights } from "./stored-weights.ts";

/** An adapter on the base: `model` is the base with it. */
export interface OpenAdapter {
  readonly model: Model;
  readonly reader: AdapterReader;
}

/**
 * The tensors of `base` under its Hugging Face names. Updates are s·B A, never the factors: the mean of products is not the
 * product of means. An adapter that leaves a layer alone counts as an update of 0 there.
 */
export function combinedWeights(
  base: Model,
  weights: StoredWeights,
  adapters: readonly OpenAdapter[],
  options: Omit<MergeOptions, "key">,
): readonly NamedTensor[] {
  return plainWeights(base, weights).map((tensor) => {
    const layer = tensor.name.replace(/\.weight$/, "");
    const isAdapted = layer !== tensor.name && adapters.some(({ model }) => model.adapters?.has(layer));
    if (!isAdapted) return tensor;
    return {
      name: tensor.name,
      shape: tensor.shape,
      get data() {
        const values = tensor.data;
        const updates = adapters.map((adapter) => updateOf(adapter, layer, values.length));
        const merged = mergeUpdates(updates, { ...options, key: randomKey(0, "merge", layer) });
        for (let i = 0; i < values.length; i++) values[i]! += merged[i]!;
        return requireFinite(values, tensor.name, "the model with its adapters merged");
      },
    };
  });
}

function updateOf({ model, reader }: OpenAdapter, layer: string, size: number): Float32Array {
  const update = new Float32Array(size);
  const own = model.adapters?.get(layer);
  const stored = own === undefined ? null : reader.layer(layer);
  if (stored !== null) addProduct(update, stored.b, stored.a, own!.rank, own!.scaling);
  return update;
}

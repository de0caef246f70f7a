/** A model's weights with its adapter put into them: W + s·B A in float32, one weight in memory at a time. */
import { requireFinite } from "../io/finite.ts";
import type { NamedTensor } from "../io/safetensors.ts";
import type { AdapterReader } from "./adapter-files.ts";
import type { Model } from "./model.ts";
import type { StoredWeights } from "./stored-weights.ts";

/**
 * The tensors of `base` under its Hugging Face names, to be written by `saveWeights`, which rounds each once. `adapted` is
 * `base` with adapters. A tensor's data is read and merged when it is asked for.
 */
export function mergedWeights(
  base: Model,
  weights: StoredWeights,
  adapted: Model,
  adapter: AdapterReader,
): readonly NamedTensor[] {
  return plainWeights(base, weights).map((tensor) => {
    const layer = tensor.name.replace(/\.weight$/, "");
    const own = adapted.adapters?.get(layer);
    if (own === undefined || layer === tensor.name) return tensor;
    return {
      name: tensor.name,
      shape: tensor.shape,
      get data() {
        const { a, b } = adapter.layer(layer)!;
        const values = tensor.data;
        addProduct(values, b, a, own.rank, own.scaling);
        return requireFinite(values, tensor.name, "the model with its adapter merged");
      },
    };
  });
}

/** The tensors of a model as they are stored. */
export function plainWeights(model: Model, weights: StoredWeights): readonly NamedTensor[] {
  return Object.entries(model.weights).map(([name, { shape }]) => ({
    name,
    shape,
    get data() {
      return weights.read(name);
    },
  }));
}

/** values [out, in] += scale · b [out, rank] a [rank, in]; the product is summed in float64 and added in float32. */
export function addProduct(values: Float32Array, b: Float32Array, a: Float32Array, rank: number, scale: number): void {
  const width = a.length / rank;
  const sums = new Float64Array(width);
  for (let row = 0; row * width < values.length; row++) {
    sums.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = scale * b[row * rank + k]!;
      for (let column = 0; column < width; column++) sums[column]! += factor * a[k * width + column]!;
    }
    for (let column = 0; column < width; column++) values[row * width + column]! += sums[column]!;
  }
}

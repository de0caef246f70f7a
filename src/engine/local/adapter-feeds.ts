/** Feeds of adapters in a forward and backward pass, other than their matrices. */
import type { Params } from "../../compiler/tensor.ts";
import type { RandomKey } from "../../core/random.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import { adaptedLayers } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { LORA_SUM } from "../../nn/lora.ts";
import { type Dropout, dropoutMasks } from "./dropout.ts";

/** Dropout masks of their inputs, or merged weights W + s·B A by the names of W. */
export type AdapterPass =
  | { readonly mode: "masks"; readonly dropout: Dropout }
  | { readonly mode: "sums"; readonly sums: Params<TensorData> };

/**
 * Feeds of the adapters of one part; `prefix` completes its weights' names, `rows` are the random keys of its input
 * rows.
 */
export function adapterFeeds(
  model: Model,
  pass: AdapterPass | null,
  names: readonly string[],
  prefix: string,
  rows: readonly RandomKey[],
): Params<TensorData> {
  if (pass === null) return {};
  if (pass.mode === "masks") return dropoutMasks(model, pass.dropout.rate, names, prefix, rows);
  return Object.fromEntries(
    adaptedLayers(names).map((layer) => [`${layer}.${LORA_SUM}`, pass.sums[`${prefix}${layer}.weight`]!]),
  );
}

/** Marks a frozen base's matrices as quantised; programs then read bytes and scales in place of floats. */
import { QUANTIZED_BLOCK, type QuantizedBits } from "../compiler/ops/quantized.ts";
import { isAdapterWeight } from "./lora.ts";
import type { Model, WeightSpec } from "./model.ts";

/** Names under which a quantised weight's bytes and scales are fed. */
export const packedName = (name: string) => `${name}.packed`;
export const scalesName = (name: string) => `${name}.scales`;

/** The model with every matrix of whole blocks of 32 a row quantised; adapters, norms and biases stay floats. */
export function withQuantizedBase(model: Model, bits: QuantizedBits): Model {
  const weights = Object.entries(model.weights).map(([name, spec]): [string, WeightSpec] => {
    const fits = spec.shape.length === 2 && spec.shape[1]! % QUANTIZED_BLOCK === 0 && !isAdapterWeight(name);
    return [name, fits ? { ...spec, quantized: bits } : spec];
  });
  return { ...model, weights: Object.fromEntries(weights) };
}

/** Weights of fused projections are adjacent in memory, so that a program can multiply by all of them in one matmul. */
import type { Params } from "../../compiler/tensor.ts";
import { concatenated, float32, sizeOf, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { fusedName } from "../../nn/layers.ts";

/** A fused weight or bias: the names of its parts, whose rows are concatenated. */
export interface FusedWeights {
  readonly parts: readonly string[];
  readonly shape: readonly number[];
}

/** The weights of a language block that can be fused, by local names; quantised layers are not fused. */
export function fusedWeightsOf({ language, weights }: Model, block: number): ReadonlyMap<string, FusedWeights> {
  const prefix = language.blockPrefix(block);
  const found = language.fusedProjections.flatMap((layers) => {
    const joined = ["weight", "bias"].flatMap((kind): [string, FusedWeights][] => {
      const parts = layers.map((layer) => `${prefix}${layer}.${kind}`).filter((name) => weights[name] !== undefined);
      if (parts.length === 0) return [];
      const shapes = parts.map((name) => weights[name]!.shape);
      const rows = shapes.reduce((total, [own]) => total + own!, 0);
      return [[`${fusedName(layers)}.${kind}`, { parts, shape: [rows, ...shapes[0]!.slice(1)] }]];
    });
    const isAlike = joined.every(([, { parts }]) => parts.length === layers.length);
    const isFloat = joined.every(([, { parts }]) => parts.every((name) => weights[name]!.quantized === undefined));
    return isAlike && isFloat ? joined : [];
  });
  return new Map(found);
}

/** All weights that can be fused, by full names. */
export function allFusedWeights(model: Model): ReadonlyMap<string, FusedWeights> {
  const { depth, blockPrefix } = model.language;
  const inBlock = (i: number) =>
    [...fusedWeightsOf(model, i)].map(([name, own]) => [blockPrefix(i) + name, own] as const);
  return new Map(Array.from({ length: depth }, (_, i) => inBlock(i)).flat());
}

/** Returns an allocator for weights: fused weights are copied next to each other, others keep their array. */
export function contiguousAllocator(model: Model): (name: string, data: Float32Array) => Float32Array {
  const fused = new Map([...allFusedWeights(model).values()].flatMap((own) => own.parts.map((part) => [part, own])));
  const places = new Map<string, Float32Array>();
  return (name, data) => {
    const own = fused.get(name);
    if (own === undefined) return data;
    if (!places.has(name)) {
      const whole = new Float32Array(sizeOf(own.shape));
      let end = 0;
      for (const part of own.parts) {
        const start = end;
        end += sizeOf(model.weights[part]!.shape);
        places.set(part, whole.subarray(start, end));
      }
    }
    const place = places.get(name)!;
    place.set(data);
    return place;
  };
}

/** The same values, with fused weights contiguous. */
export function inContiguousMemory(model: Model, values: Params<TensorData>): Params<TensorData> {
  const place = contiguousAllocator(model);
  const moved = ([name, value]: [string, TensorData]): [string, TensorData] =>
    value.dtype === "float32" ? [name, { ...value, data: place(name, value.data as Float32Array) }] : [name, value];
  return Object.fromEntries(Object.entries(values).map(moved));
}

/** The values of fused weights: views where the parts are contiguous, else copies. */
export function fusedValues(model: Model, values: Params<TensorData>): Params<TensorData> {
  const joined = [...allFusedWeights(model)].map(([name, { parts, shape }]) => {
    const arrays = parts.map((part) => values[part]!.data as Float32Array);
    return [name, float32(shape, inOnePiece(arrays) ?? concatenated(arrays))];
  });
  return Object.fromEntries(joined);
}

function inOnePiece(arrays: readonly Float32Array[]): Float32Array | null {
  const [{ buffer, byteOffset }] = arrays as readonly [Float32Array];
  let end = byteOffset;
  for (const array of arrays) {
    if (array.buffer !== buffer || array.byteOffset !== end) return null;
    end += array.byteLength;
  }
  return new Float32Array(buffer, byteOffset, (end - byteOffset) / Float32Array.BYTES_PER_ELEMENT);
}

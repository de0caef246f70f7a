/** Causal attention over a key-value cache that is extended in place (inference only): ONNX Runtime's GroupQueryAttention. */
import { floatLike } from "../interpret.ts";
import { apply, formatShape, type Op, type Tensor } from "../tensor.ts";

export interface CachedAttentionAttrs {
  readonly heads: number;
  readonly keyValueHeads: number;
}

/** The outputs of one cached attention. */
export interface CachedAttention {
  /** [rows, tokens, heads x headDim] */
  readonly output: Tensor;
  /** [rows, keyValueHeads, capacity, headDim] */
  readonly keys: Tensor;
  readonly values: Tensor;
}

export const cachedAttentionOp: Op<CachedAttentionAttrs> = {
  name: "cachedAttention",
  infer: ([query, key, value, pastKeys, pastValues, lastPosition, length], { heads, keyValueHeads }) => {
    const width = key!.shape[2];
    const fits =
      query!.shape.length === 3 &&
      typeof width === "number" &&
      query!.shape[2] === (width / keyValueHeads) * heads &&
      pastKeys!.shape[1] === keyValueHeads &&
      value!.shape[2] === width &&
      formatShape(pastKeys!.shape) === formatShape(pastValues!.shape) &&
      lastPosition!.dtype === "int32" &&
      length!.dtype === "int32";
    if (!fits) {
      const shapes = [query!, key!, value!, pastKeys!, pastValues!].map((t) => formatShape(t.shape)).join(" ");
      throw new Error(`cachedAttention: ${heads} heads over ${keyValueHeads} do not fit ${shapes}`);
    }
    return { dtype: query!.dtype, shape: query!.shape };
  },
  evaluate: (inputs, { heads, keyValueHeads }) => {
    const [query, key, , , , lastPosition] = inputs;
    const [rows, tokens] = query!.shape as [number, number];
    const headDim = key!.shape[2]! / keyValueHeads;
    const keys = extendCache(inputs[1]!, inputs[3]!, lastPosition!);
    const values = extendCache(inputs[2]!, inputs[4]!, lastPosition!);
    const capacity = keys.shape[2]!;
    const data = floatLike([query!], query!.data.length);
    for (let r = 0; r < rows; r++) {
      for (let t = 0; t < tokens; t++) {
        const visible = lastPosition!.data[r]! - tokens + 1 + t + 1;
        for (let h = 0; h < heads; h++) {
          const q = ((r * tokens + t) * heads + h) * headDim;
          const cache = (r * keyValueHeads + Math.floor((h * keyValueHeads) / heads)) * capacity * headDim;
          const scores = Array.from({ length: visible }, (_, j) => {
            let score = 0;
            for (let d = 0; d < headDim; d++) score += query!.data[q + d]! * keys.data[cache + j * headDim + d]!;
            return score / Math.sqrt(headDim);
          });
          const top = Math.max(...scores);
          const weights = scores.map((score) => Math.exp(score - top));
          const total = weights.reduce((a, b) => a + b, 0);
          for (let d = 0; d < headDim; d++) {
            let value = 0;
            for (let j = 0; j < visible; j++) value += weights[j]! * values.data[cache + j * headDim + d]!;
            data[q + d] = value / total;
          }
        }
      }
    }
    return { dtype: query!.dtype, shape: query!.shape, data };
  },
  vjp: null,
  lower: (y, inputs, onnx) => {
    const name = onnx.fresh("attention");
    const attributes = { num_heads: y.attrs.heads, kv_num_heads: y.attrs.keyValueHeads };
    const outputs = [name, `${name}.keys`, `${name}.values`];
    onnx.namedNode("GroupQueryAttention", inputs, outputs, attributes, "com.microsoft");
    return name;
  },
  // From 32 tokens on its webgpu kernel is off by the size of its results under SwiftShader (docs/devices.md). The cache lies
  // in host memory, so little crosses for this.
  onCpuFor: ["webgpu"],
};

/** One of the caches that a cachedAttention node (input 0) extended. */
function extendedCache(name: "keys" | "values"): Op<null> {
  return {
    name: `cachedAttention.${name}`,
    infer: ([, , past]) => past!,
    evaluate: ([, added, past, lastPosition]) => extendCache(added!, past!, lastPosition!),
    vjp: null,
    lower: (_, [attention]) => `${attention}.${name}`,
  };
}

export const extendedKeysOp = extendedCache("keys");
export const extendedValuesOp = extendedCache("values");

/**
 * Appends keys and values [rows, tokens, keyValueHeads x headDim] to a cache [rows, keyValueHeads, capacity, headDim]
 * so that the newest token of row r stands at `lastPosition[r]`, and attends causally over the row's tokens so far.
 * `length` (scalar) is the largest lastPosition + 1. Several tokens at once only into an empty cache.
 */
export function cachedAttention(
  t: {
    readonly query: Tensor;
    readonly key: Tensor;
    readonly value: Tensor;
    readonly pastKeys: Tensor;
    readonly pastValues: Tensor;
    readonly lastPosition: Tensor;
    readonly length: Tensor;
  },
  attrs: CachedAttentionAttrs,
): CachedAttention {
  const inputs = [t.query, t.key, t.value, t.pastKeys, t.pastValues, t.lastPosition, t.length];
  const output = apply(cachedAttentionOp, inputs, attrs);
  return {
    output,
    keys: apply(extendedKeysOp, [output, t.key, t.pastKeys, t.lastPosition], null),
    values: apply(extendedValuesOp, [output, t.value, t.pastValues, t.lastPosition], null),
  };
}

type Data = Parameters<Op["evaluate"]>[0][number];

function extendCache(added: Data, past: Data, lastPosition: Data): Data {
  const [rows, heads, capacity, headDim] = past.shape as [number, number, number, number];
  const tokens = added.shape[1]!;
  const data = floatLike([past], past.data.length);
  data.set(past.data);
  for (let r = 0; r < rows; r++) {
    for (let t = 0; t < tokens; t++) {
      const position = lastPosition.data[r]! - tokens + 1 + t;
      if (position < 0 || position >= capacity) {
        throw new Error(`cachedAttention: token ${t} of row ${r} stands at position ${position} of ${capacity}`);
      }
      for (let h = 0; h < heads; h++) {
        const source = ((r * tokens + t) * heads + h) * headDim;
        data.set(added.data.subarray(source, source + headDim), ((r * heads + h) * capacity + position) * headDim);
      }
    }
  }
  return { dtype: past.dtype, shape: past.shape, data };
}

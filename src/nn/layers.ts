/** Layers as pure functions over graph nodes; activations are flat, [flat, width], one row per token or patch. */
import {
  add,
  applyRotary,
  div,
  erf,
  gatherRows,
  matmul,
  mul,
  reshape,
  scatterRows,
  softmax,
  splitPart,
  sqrt,
  sub,
  sum,
  swish,
  tanh,
  transpose,
} from "../compiler/ops/index.ts";
import type { Dim } from "../compiler/spec.ts";
import { type Params, scalar, type Tensor } from "../compiler/tensor.ts";
import { loraUpdate, mergedLoraMatmul } from "./lora.ts";

export { applyRotary, rmsNorm } from "../compiler/ops/index.ts";

/**
 * `applyRotary` for queries, which attention expects divided by √headDim: the factor is folded into the tables, which
 * all heads share.
 */
export function rotateQuery(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const factor = scalar(1 / Math.sqrt(x.shape[3] as number));
  return applyRotary(x, mul(cos, factor), mul(sin, factor));
}

/** x Wᵀ + b with W [out, in] as PyTorch stores it. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y = matmul(x, weight, { transposeB: true });
  return bias === undefined ? y : add(y, bias);
}

/** The linear layer called `name` among the weights, with its LoRA adapter if it has one. */
export function project(weights: Params<Tensor>, name: string, x: Tensor): Tensor {
  const bias = weights[`${name}.bias`];
  const summed = mergedLoraMatmul(weights, name, x);
  if (summed !== null) return bias === undefined ? summed : add(summed, bias);
  return withUpdate(weights, name, x, linear(x, weights[`${name}.weight`]!, bias));
}

/** The name of the fused weight (and bias) of several layers: their rows concatenated. */
export const fusedName = (names: readonly string[]) => names.join("+");

/** Several linear layers of the same x: one matmul where the weights are fused. */
export function projectAll(weights: Params<Tensor>, names: readonly string[], x: Tensor): Tensor[] {
  const joined = fusedName(names);
  const weight = weights[`${joined}.weight`];
  if (weight === undefined) return names.map((name) => project(weights, name, x));
  const y = linear(x, weight, weights[`${joined}.bias`]);
  const sizes = names.map((name) => weights[`${name}.weight`]!.shape[0]!);
  return names.map((name, i) => withUpdate(weights, name, x, splitPart(y, 1, sizes, i)));
}

function withUpdate(weights: Params<Tensor>, name: string, x: Tensor, y: Tensor): Tensor {
  const update = loraUpdate(weights, name, x);
  return update === null ? y : add(y, update);
}

/** Mean over the last axis, kept as size 1. */
function lastMean(x: Tensor): Tensor {
  const size = x.shape.at(-1);
  if (typeof size !== "number") throw new Error("layers: the last axis must have a known size");
  return mul(sum(x, [x.shape.length - 1], true), scalar(1 / size));
}

/** (x − mean) / sqrt(variance + epsilon) · weight + bias over the last axis. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  const centred = sub(x, lastMean(x));
  const variance = lastMean(mul(centred, centred));
  return add(mul(div(centred, sqrt(add(variance, scalar(epsilon)))), weight), bias);
}

export function silu(x: Tensor): Tensor {
  return swish(x, 1);
}

/** x · sigmoid(1.702 x), the GELU of CLIP's vision towers. */
export function quickGelu(x: Tensor): Tensor {
  return swish(x, 1.702);
}

/** Exact GELU, ½ x (1 + erf(x / √2)). */
export function gelu(x: Tensor): Tensor {
  return mul(mul(scalar(0.5), x), add(scalar(1), erf(mul(x, scalar(Math.SQRT1_2)))));
}

/** The tanh form of GELU, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))): "gelu_pytorch_tanh". */
export function geluTanh(x: Tensor): Tensor {
  const cubed = mul(scalar(0.044715), mul(x, mul(x, x)));
  const inner = tanh(mul(scalar(Math.sqrt(2 / Math.PI)), add(x, cubed)));
  return mul(mul(scalar(0.5), x), add(scalar(1), inner));
}

/**
 * Softmax attention. Queries [rows, tokens, heads, headDim], divided by √headDim; keys and values [rows, tokens,
 * keyValueHeads, headDim], each shared by heads / keyValueHeads query heads; `bias` [rows, tokens, tokens] is added to
 * the scores (null: every token attends to its whole row). Returns [rows, tokens, heads x headDim].
 */
export function attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | null): Tensor {
  const [rows, tokens, heads, headDim] = query.shape as [Dim, Dim, number, number];
  const keyValueHeads = key.shape[2] as number;
  const share = heads / keyValueHeads;
  const grouped = (t: Tensor, perGroup: number) =>
    transpose(reshape(t, [rows, tokens, keyValueHeads, perGroup, headDim]), [0, 2, 3, 1, 4]);
  // [rows, keyValueHeads, share, tokens, tokens]
  const scores = matmul(grouped(query, share), grouped(key, 1), { transposeB: true });
  const visible = bias === null ? scores : add(scores, reshape(bias, [rows, 1, 1, tokens, tokens]));
  const mixed = matmul(softmax(visible), grouped(value, 1));
  return reshape(transpose(mixed, [0, 3, 1, 2, 4]), [rows, tokens, heads * headDim]);
}

/** Assignment of tokens to windows, for `windowAttention`. */
export interface WindowTables {
  /** [windows x places]: the flat token at each place of a window, −1 where unused. */
  readonly index: Tensor;
  /** [windows, places, places]: added to the scores, masks unused places. */
  readonly bias: Tensor;
  /** [flat]: each token's place among all windows x places. */
  readonly place: Tensor;
}

/** `attention` within windows: each token belongs to one window and attends only to it. */
export function windowAttention(query: Tensor, key: Tensor, value: Tensor, windows: WindowTables): Tensor {
  const { index, bias, place } = windows;
  const [rows, tokens, , headDim] = query.shape as [Dim, Dim, number, number];
  const intoWindows = (t: Tensor) => {
    const heads = t.shape[2] as number;
    const scattered = scatterRows(reshape(t, [place.shape[0]!, heads * headDim]), index, place);
    return reshape(scattered, [bias.shape[0]!, bias.shape[1]!, heads, headDim]);
  };
  const mixed = attention(intoWindows(query), intoWindows(key), intoWindows(value), bias);
  const width = mixed.shape[2]!;
  return reshape(gatherRows(reshape(mixed, [index.shape[0]!, width]), place, index), [rows, tokens, width]);
}

/** Multi-step operations for which ONNX Runtime has one kernel: RMSNorm and rotary position embeddings. */
import { sizeOf } from "../../core/tensor-data.ts";
import { floatLike } from "../interpret.ts";
import { type Dim, formatShape } from "../spec.ts";
import { apply, type Op, scalar, type Tensor } from "../tensor.ts";
import { add, div, mul, neg, requireFloat, sqrt, sub } from "./elementwise.ts";
import { sum, sumTo } from "./reduce.ts";
import { reshape, slice } from "./shape.ts";

export const rmsNormOp: Op<{ readonly epsilon: number }> = {
  name: "rmsNorm",
  infer: ([x, weight]) => {
    const size = x!.shape.at(-1);
    if (typeof size !== "number" || weight!.shape.join() !== String(size)) {
      const shapes = `${formatShape(x!.shape)} and ${formatShape(weight!.shape)}`;
      throw new Error(`rmsNorm: expected one weight for each element of a last axis of known size, got ${shapes}`);
    }
    return { dtype: requireFloat("rmsNorm", x!.dtype), shape: x!.shape };
  },
  evaluate: ([x, weight], { epsilon }) => {
    const size = x!.shape.at(-1)!;
    const data = floatLike([x!, weight!], x!.data.length);
    for (let start = 0; start < data.length; start += size) {
      let total = 0;
      for (let i = 0; i < size; i++) total += x!.data[start + i]! ** 2;
      const root = Math.sqrt(total / size + epsilon);
      for (let i = 0; i < size; i++) data[start + i] = (x!.data[start + i]! / root) * weight!.data[i]!;
    }
    return { dtype: x!.dtype, shape: x!.shape, data };
  },
  vjp: (y, g) => {
    const [x, weight] = y.inputs as readonly [Tensor, Tensor];
    const lastMean = (t: Tensor) => mul(sum(t, [t.shape.length - 1], true), scalar(1 / (weight.shape[0] as number)));
    const inverse = div(scalar(1), sqrt(add(lastMean(mul(x, x)), scalar(y.attrs.epsilon))));
    const normed = mul(x, inverse);
    const weighted = mul(g, weight);
    const dx = mul(inverse, sub(weighted, mul(normed, lastMean(mul(weighted, normed)))));
    return [dx, sumTo(mul(g, normed), weight)];
  },
  lower: (y, inputs, onnx) =>
    onnx.node("SimplifiedLayerNormalization", inputs, { axis: -1, epsilon: { float: y.attrs.epsilon } }),
};

/** x / sqrt(mean(x²) + epsilon) · weight over the last axis (arXiv 1910.07467). */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return apply(rmsNormOp, [x, weight], { epsilon });
}

export const applyRotaryOp: Op<null> = {
  name: "applyRotary",
  infer: ([x, cos, sin]) => {
    const [rows, tokens, , headDim] = x!.shape;
    const table = formatShape([rows!, tokens!, (headDim as number) / 2]);
    const fits = x!.shape.length === 4 && [cos!, sin!].every((t) => formatShape(t.shape) === table);
    if (!fits) {
      const shapes = [x!, cos!, sin!].map((t) => formatShape(t.shape)).join(" ");
      throw new Error(
        `applyRotary: expected [rows, tokens, heads, headDim] and two [rows, tokens, headDim / 2], got ${shapes}`,
      );
    }
    return { dtype: requireFloat("applyRotary", x!.dtype), shape: x!.shape };
  },
  evaluate: ([x, cos, sin]) => {
    const [rows, tokens, heads, headDim] = x!.shape as [number, number, number, number];
    const half = headDim / 2;
    const data = floatLike([x!, cos!, sin!], sizeOf(x!.shape));
    for (let vector = 0; vector < rows * tokens * heads; vector++) {
      const row = Math.floor(vector / heads) * half;
      for (let d = 0; d < half; d++) {
        const at = vector * headDim + d;
        const [a, b] = [x!.data[at]!, x!.data[at + half]!];
        const [c, s] = [cos!.data[row + d]!, sin!.data[row + d]!];
        data[at] = a * c - b * s;
        data[at + half] = b * c + a * s;
      }
    }
    return { dtype: x!.dtype, shape: x!.shape, data };
  },
  vjp: (y, g) => {
    const [x, cos, sin] = y.inputs as readonly [Tensor, Tensor, Tensor];
    const half = (x.shape[3] as number) / 2;
    const halves = (t: Tensor) => [slice(t, 3, 0, half), slice(t, 3, half, 2 * half)] as const;
    const [[a, b], [ga, gb]] = [halves(x), halves(g)];
    const dCos = reshape(sum(add(mul(ga, a), mul(gb, b)), [2]), cos.shape);
    const dSin = reshape(sum(sub(mul(gb, a), mul(ga, b)), [2]), sin.shape);
    return [applyRotary(g, cos, neg(sin)), dCos, dSin];
  },
  lower: (y, [x, cos, sin], onnx) => {
    const [rows, tokens, heads, headDim] = y.shape as readonly [Dim, Dim, number, number];
    // The tables have one row per token: a token's position id is its index among all tokens.
    const tables = [cos!, sin!].map((table) => onnx.node("Reshape", [table, onnx.ints([-1, headDim / 2])]));
    const shape = onnx.node("Shape", [cos!], { start: 0, end: 2 });
    const count = onnx.node("ReduceProd", [shape], { keepdims: 0 });
    const scalarInt = (value: number) => onnx.node("Squeeze", [onnx.ints([value])]);
    const range = onnx.node("Range", [scalarInt(0), count, scalarInt(1)]);
    const positions = onnx.node("Reshape", [range, shape]);
    const flat = onnx.reshape(x!, onnx.reshapeTarget([rows, tokens, heads * headDim]));
    const attributes = { num_heads: heads, rotary_embedding_dim: headDim };
    const o = { domain: "com.microsoft" };
    const turned = onnx.node("RotaryEmbedding", [flat, positions, tables[0]!, tables[1]!], attributes, o);
    return onnx.reshape(turned, onnx.reshapeTarget(y.shape));
  },
};

/**
 * Rotary position embeddings (arXiv 2104.09864), half-split layout: x [rows, tokens, heads, headDim]; cos and sin
 * [rows, tokens, headDim / 2] rotate component d with component d + headDim / 2.
 */
export function applyRotary(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  return apply(applyRotaryOp, [x, cos, sin], null);
}

/** Sums over axes, and operations along the last axis: softmax, maximum, cumulative sum, top-k. */
import { allocate, type DType, sizeOf, type TensorArray, type TensorData } from "../../core/tensor-data.ts";
import { type Dim, formatShape, sameShape, type TensorSpec } from "../spec.ts";
import { apply, type Op, type Tensor } from "../tensor.ts";
import { equal, exp, mul, requireFloat, requireNumber, sub, where, zerosLike } from "./elementwise.ts";
import { broadcastTo, reshape } from "./shape.ts";

export interface SumAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export const sumOp: Op<SumAttrs> = {
  name: "sum",
  infer: ([x], { axes, keepDims }) => {
    if (axes.some((axis) => axis < 0 || axis >= x!.shape.length)) {
      throw new Error(`sum: axes [${axes.join(", ")}] do not exist in ${formatShape(x!.shape)}`);
    }
    return { dtype: requireNumber("sum", x!.dtype), shape: reducedShape(x!.shape, axes, keepDims) };
  },
  evaluate: ([x], { axes, keepDims }) => {
    const kept = reducedShape(x!.shape, axes, true);
    const data = allocate(x!.dtype, sizeOf(kept));
    const strides = x!.shape.map((_, axis) => (axes.includes(axis) ? 0 : sizeOf(kept.slice(axis + 1))));
    for (let i = 0; i < x!.data.length; i++) {
      let rest = i;
      let target = 0;
      for (let axis = x!.shape.length - 1; axis >= 0; axis--) {
        target += (rest % x!.shape[axis]!) * strides[axis]!;
        rest = Math.floor(rest / x!.shape[axis]!);
      }
      data[target]! += x!.data[i]!;
    }
    return { dtype: x!.dtype, shape: reducedShape(x!.shape, axes, keepDims), data };
  },
  vjp: (y, g) => {
    const x = y.inputs[0]!;
    return [broadcastTo(reshape(g, reducedShape(x.shape, y.attrs.axes, true)), x.shape)];
  },
  lower: (y, [x], onnx) =>
    onnx.node("ReduceSum", [x!, onnx.ints(y.attrs.axes)], {
      keepdims: y.attrs.keepDims ? 1 : 0,
      noop_with_empty_axes: 1,
    }),
};

function reducedShape<D extends Dim>(shape: readonly D[], axes: readonly number[], keepDims: boolean): D[] {
  return shape.flatMap((dim, axis) => (axes.includes(axis) ? (keepDims ? [1 as D] : []) : [dim]));
}

/** Sum over axes (all by default). */
export function sum(x: Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis), keepDims = false): Tensor {
  return axes.length === 0 ? x : apply(sumOp, [x], { axes, keepDims });
}

/** An op that maps each vector of the last axis independently. */
function alongLastAxis(
  name: string,
  onnxName: string,
  check: (name: string, dtype: DType) => DType,
  f: (x: TensorArray, y: TensorArray, start: number, end: number) => void,
  vjp: Op<null>["vjp"],
  lower?: Op<null>["lower"],
): Op<null> {
  return {
    name,
    infer: ([x]) => {
      requireAxis(name, x!);
      return { dtype: check(name, x!.dtype), shape: x!.shape };
    },
    evaluate: ([x]) => {
      const size = x!.shape.at(-1)!;
      const data = allocate(x!.dtype, x!.data.length);
      for (let start = 0; start < data.length; start += size) f(x!.data, data, start, start + size);
      return { dtype: x!.dtype, shape: x!.shape, data };
    },
    vjp,
    lower: lower ?? ((_, inputs, onnx) => onnx.node(onnxName, inputs, { axis: -1 })),
  };
}

function requireAxis(name: string, x: TensorSpec): void {
  if (x.shape.length === 0) throw new Error(`${name}: expected at least one axis, got a scalar`);
}

const lastAxis = (t: Tensor) => t.shape.length - 1;

export const softmaxOp = alongLastAxis(
  "softmax",
  "Softmax",
  requireFloat,
  (x, y, start, end) => {
    const top = largestOf(x, start, end);
    const total = sumOfExp(x, start, end, top);
    for (let i = start; i < end; i++) y[i] = Math.exp(x[i]! - top) / total;
  },
  (y, g) => [mul(y, sub(g, sum(mul(g, y), [lastAxis(y)], true)))],
);

export const logSoftmaxOp = alongLastAxis(
  "logSoftmax",
  "LogSoftmax",
  requireFloat,
  (x, y, start, end) => {
    const top = largestOf(x, start, end);
    const logTotal = Math.log(sumOfExp(x, start, end, top));
    for (let i = start; i < end; i++) y[i] = x[i]! - top - logTotal;
  },
  (y, g) => [sub(g, mul(exp(y), sum(g, [lastAxis(y)], true)))],
);

export const cumulativeSumOp = alongLastAxis(
  "cumulativeSum",
  "CumSum",
  requireNumber,
  (x, y, start, end) => {
    let total = 0;
    for (let i = start; i < end; i++) y[i] = total += x[i]!;
  },
  null,
  (y, [x], onnx) => onnx.node("CumSum", [x!, onnx.ints([lastAxis(y)])]),
);

/** Softmax over the last axis. */
export const softmax = (x: Tensor) => apply(softmaxOp, [x], null);
/** Log-softmax over the last axis. */
export const logSoftmax = (x: Tensor) => apply(logSoftmaxOp, [x], null);
/** Inclusive running sum over the last axis (no gradient). */
export const cumulativeSum = (x: Tensor) => apply(cumulativeSumOp, [x], null);

export const maxOp: Op<null> = {
  name: "max",
  infer: ([x]) => {
    requireAxis("max", x!);
    return { dtype: requireNumber("max", x!.dtype), shape: [...x!.shape.slice(0, -1), 1] };
  },
  evaluate: ([x]) => {
    const size = x!.shape.at(-1)!;
    const shape = [...x!.shape.slice(0, -1), 1];
    const data = allocate(x!.dtype, sizeOf(shape));
    for (let i = 0; i < data.length; i++) data[i] = largestOf(x!.data, i * size, (i + 1) * size);
    return { dtype: x!.dtype, shape, data };
  },
  vjp: (y, g) => {
    const x = y.inputs[0]!;
    return [where(equal(x, broadcastTo(y, x.shape)), broadcastTo(g, x.shape), zerosLike(x))];
  },
  lower: (y, [x], onnx) => onnx.node("ReduceMax", [x!, onnx.ints([lastAxis(y)])], { keepdims: 1 }),
};

/** Maximum of the last axis, kept as size 1; every tied maximum receives the gradient. */
export const max = (x: Tensor) => apply(maxOp, [x], null);

export const topKOp: Op<{ readonly count: number }> = {
  name: "topK",
  infer: ([x], { count }) => {
    const size = x!.shape.at(-1);
    if (typeof size !== "number" || count < 1 || count > size) {
      throw new Error(`topK: count ${count} does not fit the last axis of ${formatShape(x!.shape)}`);
    }
    return { dtype: requireNumber("topK", x!.dtype), shape: [...x!.shape.slice(0, -1), count] };
  },
  evaluate: ([x], { count }) => {
    const size = x!.shape.at(-1)!;
    const rows = x!.data.length / size;
    const data = allocate(x!.dtype, rows * count);
    for (let r = 0; r < rows; r++) {
      const sorted = Array.from(x!.data.subarray(r * size, (r + 1) * size)).sort((a, b) => b - a);
      data.set(sorted.slice(0, count), r * count);
    }
    return { dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), count], data };
  },
  vjp: null,
  lower: (y, [x], onnx) =>
    onnx.node("TopK", [x!, onnx.ints([y.attrs.count])], { axis: -1, largest: 1, sorted: 1 }, { outputs: 2 }),
};

/** The `count` largest values of the last axis, in descending order (no gradient). */
export const topK = (x: Tensor, count: number) => apply(topKOp, [x], { count });

export const argmaxOp: Op<null> = {
  name: "argmax",
  infer: ([x]) => {
    requireAxis("argmax", x!);
    requireNumber("argmax", x!.dtype);
    return { dtype: "int32", shape: x!.shape.slice(0, -1) };
  },
  evaluate: ([x]): TensorData => {
    const size = x!.shape.at(-1)!;
    if (size === 0) throw new Error(`argmax: the last axis of ${formatShape(x!.shape)} has no elements`);
    const data = allocate("int32", x!.data.length / size);
    for (let r = 0; r < data.length; r++) {
      let best = 0;
      for (let i = 1; i < size; i++) if (x!.data[r * size + i]! > x!.data[r * size + best]!) best = i;
      data[r] = best;
    }
    return { dtype: "int32", shape: x!.shape.slice(0, -1), data };
  },
  vjp: null,
  lower: (_, [x], onnx) => onnx.cast(onnx.node("ArgMax", [x!], { axis: -1, keepdims: 0 }), "int32"),
};

/** Index of the first maximum of the last axis, int32 (no gradient). */
export const argmax = (x: Tensor) => apply(argmaxOp, [x], null);

function largestOf(x: TensorArray, start: number, end: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i++) top = Math.max(top, x[i]!);
  return top;
}

function sumOfExp(x: TensorArray, start: number, end: number, shift: number): number {
  let total = 0;
  for (let i = start; i < end; i++) total += Math.exp(x[i]! - shift);
  return total;
}

/** Sums a broadcast cotangent over the axes that `target` lacks or has as size 1. */
export function sumTo(cotangent: Tensor, target: TensorSpec): Tensor {
  if (sameShape(cotangent.shape, target.shape)) return cotangent;
  const extra = cotangent.shape.length - target.shape.length;
  const axes = cotangent.shape
    .map((dim, axis) => (axis < extra || (target.shape[axis - extra] === 1 && dim !== 1) ? axis : -1))
    .filter((axis) => axis >= 0);
  const summed = axes.length === 0 ? cotangent : sum(cotangent, axes, true);
  return sameShape(summed.shape, target.shape) ? summed : reshape(summed, target.shape);
}

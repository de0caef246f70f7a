/** Ops that move elements without computing: reshape, transpose, broadcast, slice, concatenate. */
import { allocate, sizeOf, type TensorData } from "../../core/tensor-data.ts";
import { concreteShape } from "../interpret.ts";
import { type Dim, formatShape, sameShape } from "../spec.ts";
import { apply, constantOp, type Op, type Tensor } from "../tensor.ts";
import { broadcastShapes, walkBroadcast } from "./broadcast.ts";
import { sumTo } from "./reduce.ts";

export interface ShapeAttrs {
  readonly shape: readonly Dim[];
}

export const reshapeOp: Op<ShapeAttrs> = {
  name: "reshape",
  infer: ([x], { shape }) => {
    const numbers = (dims: readonly Dim[]) => sizeOf(dims.filter((dim) => typeof dim === "number"));
    const names = (dims: readonly Dim[]) => formatShape(dims.filter((dim) => typeof dim === "string").sort());
    if (names(x!.shape) === names(shape) && numbers(x!.shape) !== numbers(shape)) {
      throw new Error(`reshape: sizes must match, got ${formatShape(x!.shape)} to ${formatShape(shape)}`);
    }
    return { dtype: x!.dtype, shape };
  },
  evaluate: ([x], { shape }, sizes) => {
    const unknown = shape.filter((dim) => typeof dim === "string" && sizes[dim] === undefined);
    if (unknown.length > 1) throw new Error(`reshape: at most one new symbolic size, got ${formatShape(shape)}`);
    const known = sizeOf(shape.map((dim) => (typeof dim === "number" ? dim : (sizes[dim] ?? 1))));
    const inferred = known === 0 ? 0 : x!.data.length / known;
    const actual = shape.map((dim) => (typeof dim === "number" ? dim : (sizes[dim] ?? inferred)));
    if (sizeOf(actual) !== x!.data.length || !Number.isInteger(inferred)) {
      throw new Error(`reshape: cannot view ${formatShape(x!.shape)} as ${formatShape(actual)}`);
    }
    return { dtype: x!.dtype, shape: actual, data: x!.data };
  },
  vjp: (y, g) => [reshape(g, y.inputs[0]!.shape)],
  lower: (y, [x], onnx) => onnx.reshape(x!, onnx.reshapeTarget(y.attrs.shape)),
};

/** A view in another shape; one symbolic size may be new and is inferred (-1 in ONNX). */
export function reshape(x: Tensor, shape: readonly Dim[]): Tensor {
  return sameShape(x.shape, shape) ? x : apply(reshapeOp, [x], { shape });
}

export const transposeOp: Op<{ readonly permutation: readonly number[] }> = {
  name: "transpose",
  infer: ([x], { permutation }) => {
    if (
      [...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) ||
      permutation.length !== x!.shape.length
    ) {
      throw new Error(`transpose: [${permutation.join(", ")}] does not permute the axes of ${formatShape(x!.shape)}`);
    }
    return { dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) };
  },
  evaluate: ([x], { permutation }) => {
    const shape = permutation.map((axis) => x!.shape[axis]!);
    const data = allocate(x!.dtype, x!.data.length);
    const strides = rowMajorStrides(x!.shape);
    const moved = permutation.map((axis) => strides[axis]!);
    walk(shape, moved, (out, offset) => {
      data[out] = x!.data[offset]!;
    });
    return { dtype: x!.dtype, shape, data };
  },
  vjp: (y, g) => {
    const inverse = new Array<number>(y.attrs.permutation.length);
    for (const [i, axis] of y.attrs.permutation.entries()) inverse[axis] = i;
    return [transpose(g, inverse)];
  },
  lower: (y, inputs, onnx) => {
    const { permutation } = y.attrs;
    const moved = permutation.filter((axis) => y.inputs[0]!.shape[axis] !== 1);
    const inOrder = moved.every((axis, i) => i === 0 || axis > moved[i - 1]!);
    // If only axes of size 1 move, elements keep their order, and a Reshape copies nothing.
    if (inOrder) return onnx.reshape(inputs[0]!, onnx.reshapeTarget(y.shape));
    return onnx.node("Transpose", inputs, { perm: permutation });
  },
};

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return apply(transposeOp, [x], { permutation });
}

export const broadcastToOp: Op<ShapeAttrs> = {
  name: "broadcastTo",
  infer: ([x], { shape }) => {
    if (!sameShape(broadcastShapes("broadcastTo", [x!.shape, shape]), shape)) {
      throw new Error(`broadcastTo: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    }
    return { dtype: x!.dtype, shape };
  },
  evaluate: ([x], { shape }, sizes) => {
    const actual = concreteShape(shape, sizes);
    const data = allocate(x!.dtype, sizeOf(actual));
    walkBroadcast(actual, [x!.shape], (out, [i]) => {
      data[out] = x!.data[i!]!;
    });
    return { dtype: x!.dtype, shape: actual, data };
  },
  vjp: (y, g) => [sumTo(g, y.inputs[0]!)],
  lower: (y, [x], onnx) => onnx.node("Expand", [x!, onnx.shape(y.attrs.shape)]),
};

/** Repeats size-1 and missing axes up to `shape`. */
export function broadcastTo(x: Tensor, shape: readonly Dim[]): Tensor {
  if (sameShape(x.shape, shape)) return x;
  return apply(broadcastToOp, [x], { shape });
}

export interface SliceAttrs {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

export const sliceOp: Op<SliceAttrs> = {
  name: "slice",
  infer: ([x], { axis, start, end }) => {
    const size = x!.shape[axis];
    if (typeof size !== "number" || start < 0 || end < start || end > size) {
      throw new Error(`slice: [${start}, ${end}) of axis ${axis} does not lie in ${formatShape(x!.shape)}`);
    }
    return { dtype: x!.dtype, shape: x!.shape.map((dim, i) => (i === axis ? end - start : dim)) };
  },
  evaluate: ([x], { axis, start, end }) => {
    const shape = x!.shape.map((dim, i) => (i === axis ? end - start : dim));
    const data = allocate(x!.dtype, sizeOf(shape));
    copyAlongAxis(x!, axis, start, { shape, data }, 0, end - start);
    return { dtype: x!.dtype, shape, data };
  },
  vjp: (y, g) => {
    const { axis, start, end } = y.attrs;
    const x = y.inputs[0]!;
    const size = x.shape[axis] as number;
    const zeros = (length: number) =>
      broadcastTo(
        zeroScalar(),
        x.shape.map((dim, i) => (i === axis ? length : dim)),
      );
    const parts = [start > 0 ? zeros(start) : null, g, end < size ? zeros(size - end) : null];
    return [
      concat(
        parts.filter((part) => part !== null),
        axis,
      ),
    ];
  },
  lower: (y, [x], onnx) => {
    const { axis, start, end } = y.attrs;
    return onnx.node("Slice", [x!, onnx.ints([start]), onnx.ints([end]), onnx.ints([axis])]);
  },
};

/** Elements `start` to `end` (exclusive) of one axis of known size. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  return apply(sliceOp, [x], { axis, start, end });
}

export const concatOp: Op<{ readonly axis: number }> = {
  name: "concat",
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    if (first === undefined) throw new Error("concat: expected at least one tensor, got none");
    let size = 0;
    for (const { shape, dtype } of inputs) {
      const fits = shape.length === first.shape.length && shape.every((dim, i) => i === axis || dim === first.shape[i]);
      const own = shape[axis];
      if (!fits || typeof own !== "number") {
        const shapes = inputs.map((t) => formatShape(t.shape)).join(" and ");
        throw new Error(`concat: shapes must be known along axis ${axis} and match elsewhere, got ${shapes}`);
      }
      if (dtype !== first.dtype) throw new Error(`concat: dtypes must match, got ${first.dtype} and ${dtype}`);
      size += own;
    }
    return { dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? size : dim)) };
  },
  evaluate: (inputs, { axis }) => {
    const size = inputs.reduce((total, t) => total + t.shape[axis]!, 0);
    const shape = inputs[0]!.shape.map((dim, i) => (i === axis ? size : dim));
    const data = allocate(inputs[0]!.dtype, sizeOf(shape));
    let offset = 0;
    for (const t of inputs) {
      copyAlongAxis(t, axis, 0, { shape, data }, offset, t.shape[axis]!);
      offset += t.shape[axis]!;
    }
    return { dtype: inputs[0]!.dtype, shape, data };
  },
  vjp: (y, g) => {
    let offset = 0;
    return y.inputs.map((t) => {
      const size = t.shape[y.attrs.axis] as number;
      offset += size;
      return slice(g, y.attrs.axis, offset - size, offset);
    });
  },
  lower: (y, inputs, onnx) => onnx.node("Concat", inputs, { axis: y.attrs.axis }),
};

/** Concatenates tensors along an axis whose sizes are known. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  return parts.length === 1 ? parts[0]! : apply(concatOp, parts, { axis });
}

const zeroScalar = () => apply(constantOp, [], { dtype: "float32", shape: [], data: Float32Array.of(0) });

/** Copies `count` positions of an axis between tensors whose other sizes match. */
export function copyAlongAxis(
  from: Pick<TensorData, "shape" | "data">,
  axis: number,
  fromStart: number,
  to: Pick<TensorData, "shape" | "data">,
  toStart: number,
  count: number,
): void {
  const outer = sizeOf(from.shape.slice(0, axis));
  const inner = sizeOf(from.shape.slice(axis + 1));
  for (let o = 0; o < outer; o++) {
    const source = (o * from.shape[axis]! + fromStart) * inner;
    to.data.set(from.data.subarray(source, source + count * inner), (o * to.shape[axis]! + toStart) * inner);
  }
}

function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

function walk(
  shape: readonly number[],
  strides: readonly number[],
  visit: (out: number, offset: number) => void,
): void {
  const index = new Array<number>(shape.length).fill(0);
  let offset = 0;
  const total = sizeOf(shape);
  for (let out = 0; out < total; out++) {
    visit(out, offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      offset -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

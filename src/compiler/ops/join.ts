/** Joining two tensors along an axis whose sizes are known only at run time, and taking a joined tensor apart. */
import { allocate, sizeOf } from "../../core/tensor-data.ts";
import { concreteShape } from "../interpret.ts";
import { apply, type Dim, formatShape, type Op, scalar, type Tensor } from "../tensor.ts";
import { broadcastTo, copyAlongAxis } from "./shape.ts";

export interface JoinAttrs {
  readonly axis: number;
  /** Name of the joined size. */
  readonly size: string;
}

export const joinOp: Op<JoinAttrs> = {
  name: "join",
  infer: ([a, b], { axis, size }) => {
    const fits =
      a!.dtype === b!.dtype &&
      a!.shape.length === b!.shape.length &&
      a!.shape.every((dim, i) => i === axis || dim === b!.shape[i]);
    if (!fits || axis >= a!.shape.length) {
      const shapes = `${formatShape(a!.shape)} and ${formatShape(b!.shape)}`;
      throw new Error(`join: shapes and dtypes must match but for axis ${axis}, got ${shapes}`);
    }
    return { dtype: a!.dtype, shape: withSize(a!.shape, axis, size) };
  },
  evaluate: ([a, b], { axis }) => {
    const shape = withSize(a!.shape, axis, a!.shape[axis]! + b!.shape[axis]!);
    const data = allocate(a!.dtype, sizeOf(shape));
    copyAlongAxis(a!, axis, 0, { shape, data }, 0, a!.shape[axis]!);
    copyAlongAxis(b!, axis, 0, { shape, data }, a!.shape[axis]!, b!.shape[axis]!);
    return { dtype: a!.dtype, shape, data };
  },
  vjp: (y, g) => {
    const { axis } = y.attrs;
    const sizes = y.inputs.map((t) => t.shape[axis]!) as [Dim, Dim];
    return [joinedPart(g, axis, sizes, 0), joinedPart(g, axis, sizes, 1)];
  },
  lower: (y, inputs, onnx) => onnx.node("Concat", inputs, { axis: y.attrs.axis }),
};

/** a and b along an axis; the result's size there is called `size`. */
export function join(a: Tensor, b: Tensor, axis: number, size: string): Tensor {
  return apply(joinOp, [a, b], { axis, size });
}

export interface JoinedPartAttrs {
  readonly axis: number;
  /** Sizes of both parts along the axis. */
  readonly sizes: readonly [Dim, Dim];
  readonly part: 0 | 1;
}

export const joinedPartOp: Op<JoinedPartAttrs> = {
  name: "joinedPart",
  infer: ([x], { axis, sizes, part }) => {
    if (axis >= x!.shape.length) throw new Error(`joinedPart: ${formatShape(x!.shape)} has no axis ${axis}`);
    return { dtype: x!.dtype, shape: withSize(x!.shape, axis, sizes[part]) };
  },
  evaluate: ([x], { axis, sizes, part }, known) => {
    const [first, second] = concreteShape(sizes, known) as [number, number];
    if (first + second !== x!.shape[axis]) {
      throw new Error(`joinedPart: ${first} and ${second} do not make ${x!.shape[axis]}`);
    }
    const shape = withSize(x!.shape, axis, part === 0 ? first : second);
    const data = allocate(x!.dtype, sizeOf(shape));
    copyAlongAxis(x!, axis, part === 0 ? 0 : first, { shape, data }, 0, shape[axis]!);
    return { dtype: x!.dtype, shape, data };
  },
  vjp: (y, g) => {
    const { axis, sizes, part } = y.attrs;
    const other = broadcastTo(scalar(0), withSize(g.shape, axis, sizes[1 - part]!));
    const size = y.inputs[0]!.shape[axis];
    if (typeof size !== "string") throw new Error("internal: a joined size has a name");
    return [part === 0 ? join(g, other, axis, size) : join(other, g, axis, size)];
  },
  lower: (y, [x], onnx) => {
    const { axis, sizes, part } = y.attrs;
    const middle = onnx.shape([sizes[0]]);
    const bounds = part === 0 ? [onnx.ints([0]), middle] : [middle, onnx.ints([2 ** 31 - 1])];
    return onnx.node("Slice", [x!, ...bounds, onnx.ints([axis])]);
  },
};

/** The first or second part of what `join` made of tensors with these sizes along the axis. */
export function joinedPart(x: Tensor, axis: number, sizes: readonly [Dim, Dim], part: 0 | 1): Tensor {
  return apply(joinedPartOp, [x], { axis, sizes, part });
}

function withSize<D extends Dim>(shape: readonly D[], axis: number, size: D): D[] {
  return shape.map((dim, i) => (i === axis ? size : dim));
}

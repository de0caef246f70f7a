/** Concatenation along an axis whose sizes are known only at run time, and its inverse. */
import { concreteShape } from "../interpret.ts";
import { type Dim, formatShape } from "../spec.ts";
import { apply, isScalarConstant, type Op, scalar, type Tensor } from "../tensor.ts";
import { add } from "./elementwise.ts";
import { broadcastTo, broadcastToOp, concatOp, sliceOp } from "./shape.ts";

export interface ConcatDynamicAttrs {
  readonly axis: number;
  /** Name of the concatenated size. */
  readonly size: string;
}

export const concatDynamicOp: Op<ConcatDynamicAttrs> = {
  name: "concatDynamic",
  infer: (parts, { axis, size }) => {
    const [first] = parts;
    const fits = ({ dtype, shape }: (typeof parts)[number]) =>
      dtype === first!.dtype &&
      shape.length === first!.shape.length &&
      shape.every((dim, i) => i === axis || dim === first!.shape[i]);
    if (first === undefined || !parts.every(fits) || axis >= first.shape.length) {
      const shapes = parts.map(({ shape }) => formatShape(shape)).join(" and ");
      throw new Error(`concatDynamic: shapes and dtypes must match except along axis ${axis}, got ${shapes}`);
    }
    return { dtype: first.dtype, shape: withSize(first.shape, axis, size) };
  },
  evaluate: (parts, { axis }, sizes) => concatOp.evaluate(parts, { axis }, sizes),
  vjp: (y, g) => {
    const { axis } = y.attrs;
    const sizes = y.inputs.map((t) => t.shape[axis]!);
    return sizes.map((_, part) => splitPart(g, axis, sizes, part));
  },
  lower: (y, inputs, onnx) => onnx.node("Concat", inputs, { axis: y.attrs.axis }),
};

/** Concatenates tensors along an axis; the result's size there is called `size`. */
export function concatDynamic(parts: readonly Tensor[], axis: number, size: string): Tensor {
  return apply(concatDynamicOp, parts, { axis, size });
}

export interface SplitPartAttrs {
  readonly axis: number;
  /** Sizes of all parts along the axis. */
  readonly sizes: readonly Dim[];
  readonly part: number;
}

export const splitPartOp: Op<SplitPartAttrs> = {
  name: "splitPart",
  infer: ([x], { axis, sizes, part }) => {
    if (axis >= x!.shape.length) throw new Error(`splitPart: ${formatShape(x!.shape)} has no axis ${axis}`);
    return { dtype: x!.dtype, shape: withSize(x!.shape, axis, sizes[part]!) };
  },
  evaluate: ([x], { axis, sizes, part }, known) => {
    const counts = concreteShape(sizes, known);
    const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
    if (sum(counts) !== x!.shape[axis]) {
      throw new Error(`splitPart: ${counts.join(" and ")} do not add up to ${x!.shape[axis]}`);
    }
    const start = sum(counts.slice(0, part));
    return sliceOp.evaluate([x!], { axis, start, end: start + counts[part]! }, known);
  },
  vjp: (y, g) => {
    const { axis, sizes, part } = y.attrs;
    const size = y.inputs[0]!.shape[axis];
    if (typeof size !== "string") throw new Error("internal: a concatenated size must be symbolic");
    const zeros = (dim: Dim) => broadcastTo(scalar(0), withSize(g.shape, axis, dim));
    return [
      concatDynamic(
        sizes.map((dim, i) => (i === part ? g : zeros(dim))),
        axis,
        size,
      ),
    ];
  },
  lower: (y, [x], onnx) => {
    const { axis, sizes, part } = y.attrs;
    return onnx.parts(x!, axis, onnx.shape(sizes), sizes.length)[part]!;
  },
};

/** One of the parts that `concatDynamic` concatenated into x; `sizes` are all parts' sizes along the axis. */
export function splitPart(x: Tensor, axis: number, sizes: readonly Dim[], part: number): Tensor {
  return apply(splitPartOp, [x], { axis, sizes, part });
}

/**
 * a + b. If both are concatenations and, at each part, one of them is zero (as for gradients of parts), the parts are
 * concatenated instead of added.
 */
export function addConcatenated(a: Tensor, b: Tensor): Tensor {
  if (a.op !== concatDynamicOp || b.op !== concatDynamicOp) return add(a, b);
  const { axis, size } = a.attrs as ConcatDynamicAttrs;
  const sizesOf = (t: Tensor) => t.inputs.map((part) => part.shape[axis]).join();
  if (b.attrs.axis !== axis || sizesOf(a) !== sizesOf(b)) return add(a, b);
  const parts = a.inputs.map((part, i) => (isZeros(part) ? b.inputs[i]! : isZeros(b.inputs[i]!) ? part : null));
  return parts.every((part) => part !== null) ? concatDynamic(parts, axis, size) : add(a, b);
}

function isZeros({ op, inputs: [x] }: Tensor): boolean {
  return op === broadcastToOp && isScalarConstant(x!) && x!.attrs.data[0] === 0;
}

function withSize<D extends Dim>(shape: readonly D[], axis: number, size: D): D[] {
  return shape.map((dim, i) => (i === axis ? size : dim));
}

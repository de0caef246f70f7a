/** Row gather, row scatter-add, and selecting one element of each vector. */
import { allocate, sizeOf } from "../../core/tensor-data.ts";
import { concreteShape } from "../interpret.ts";
import { type Dim, formatShape } from "../spec.ts";
import { apply, constant, type Op, type Tensor } from "../tensor.ts";
import { cast, equal, mul, requireNumber } from "./elementwise.ts";
import { reshape } from "./shape.ts";

export const gatherOp: Op<null> = {
  name: "gather",
  infer: ([table, index]) => {
    if (index!.dtype !== "int32" || table!.shape.length === 0) {
      throw new Error(`gather: expected rows and int32 indices, got ${formatShape(table!.shape)} and ${index!.dtype}`);
    }
    return { dtype: table!.dtype, shape: [...index!.shape, ...table!.shape.slice(1)] };
  },
  evaluate: ([table, index]) => {
    const width = sizeOf(table!.shape.slice(1));
    const data = allocate(table!.dtype, index!.data.length * width);
    for (let i = 0; i < index!.data.length; i++) {
      const row = requireIndex("gather", index!.data[i]!, table!.shape[0]!);
      data.set(table!.data.subarray(row * width, (row + 1) * width), i * width);
    }
    return { dtype: table!.dtype, shape: [...index!.shape, ...table!.shape.slice(1)], data };
  },
  vjp: (y, g) => {
    const [table, index] = y.inputs as readonly [Tensor, Tensor];
    return [scatterAdd(index, g, table.shape), null];
  },
  lower: (_, inputs, onnx) => onnx.node("Gather", inputs, { axis: 0 }),
};

/** Rows of a table [N, …] by int32 indices of any shape. */
export const gather = (table: Tensor, index: Tensor) => apply(gatherOp, [table, index], null);

export const scatterAddOp: Op<{ readonly shape: readonly Dim[] }> = {
  name: "scatterAdd",
  infer: ([index, rows], { shape }) => {
    const expected = [...index!.shape, ...shape.slice(1)];
    if (index!.dtype !== "int32" || expected.join() !== rows!.shape.join()) {
      throw new Error(
        `scatterAdd: expected int32 indices and rows ${formatShape(expected)}, got ${formatShape(rows!.shape)}`,
      );
    }
    return { dtype: requireNumber("scatterAdd", rows!.dtype), shape };
  },
  evaluate: ([index, rows], { shape }, sizes) => {
    const actual = concreteShape(shape, sizes);
    const width = sizeOf(actual.slice(1));
    const data = allocate(rows!.dtype, sizeOf(actual));
    for (let i = 0; i < index!.data.length; i++) {
      const row = requireIndex("scatterAdd", index!.data[i]!, actual[0]!);
      for (let j = 0; j < width; j++) data[row * width + j]! += rows!.data[i * width + j]!;
    }
    return { dtype: rows!.dtype, shape: actual, data };
  },
  vjp: (y, g) => [null, gather(g, y.inputs[0]!)],
  lower: (y, [index, rows], onnx) => {
    const [indexTensor, rowsTensor] = y.inputs as readonly [Tensor, Tensor];
    const zero = onnx.constant({ dtype: y.dtype, shape: [], data: allocate(y.dtype, 1) });
    const zeros = onnx.node("Expand", [zero, onnx.shape(y.attrs.shape)]);
    const ones = y.attrs.shape.slice(1).map(() => 1);
    const column = onnx.node("Reshape", [index!, onnx.reshapeTarget([...indexTensor.shape, ...ones])], {
      allowzero: 1,
    });
    const spread = onnx.node("Expand", [column, onnx.node("Shape", [rows!])]);
    const flatten = (value: string) => {
      const width = onnx.shape(y.attrs.shape.slice(1));
      return onnx.node("Reshape", [value, onnx.node("Concat", [onnx.ints([-1]), width], { axis: 0 })]);
    };
    const flat = rowsTensor.shape.length === y.attrs.shape.length;
    return onnx.node("ScatterElements", flat ? [zeros, spread, rows!] : [zeros, flatten(spread), flatten(rows!)], {
      axis: 0,
      reduction: "add",
    });
  },
};

/** Zeros of `shape` [N, …] with each row added at its index; rows with the same index are summed. */
export function scatterAdd(index: Tensor, rows: Tensor, shape: readonly Dim[]): Tensor {
  return apply(scatterAddOp, [index, rows], { shape });
}

export const takeAlongLastAxisOp: Op<null> = {
  name: "takeAlongLastAxis",
  infer: ([x, index]) => {
    const vectors = x!.shape.length === 0 ? null : x!.shape.slice(0, -1).join();
    if (index!.dtype !== "int32" || vectors !== index!.shape.join()) {
      throw new Error(
        `takeAlongLastAxis: expected one int32 index per vector of ${formatShape(x!.shape)}, got ${formatShape(index!.shape)}`,
      );
    }
    return { dtype: x!.dtype, shape: index!.shape };
  },
  evaluate: ([x, index]) => {
    const size = x!.shape.at(-1)!;
    const data = allocate(x!.dtype, index!.data.length);
    for (let i = 0; i < data.length; i++)
      data[i] = x!.data[i * size + requireIndex("takeAlongLastAxis", index!.data[i]!, size)]!;
    return { dtype: x!.dtype, shape: index!.shape, data };
  },
  vjp: (y, g) => {
    const [x, index] = y.inputs as readonly [Tensor, Tensor];
    const column = [...index.shape, 1];
    // ONNX Runtime's Where takes three times as long as multiplying by a 0/1 mask.
    return [mul(cast(isPicked(x, index), x.dtype), reshape(g, column)), null];
  },
  lower: (y, [x, index], onnx) => {
    const axis = y.shape.length;
    const column = onnx.node("Unsqueeze", [index!, onnx.ints([axis])]);
    return onnx.node("Squeeze", [onnx.node("GatherElements", [x!, column], { axis }), onnx.ints([axis])]);
  },
};

/** Element `index[i]` of each vector of the last axis. */
export const takeAlongLastAxis = (x: Tensor, index: Tensor) => apply(takeAlongLastAxisOp, [x, index], null);

/** True where the last axis of x is at the vector's index. */
export function isPicked(x: Tensor, index: Tensor): Tensor {
  const size = x.shape.at(-1);
  if (typeof size !== "number")
    throw new Error(`takeAlongLastAxis: the last axis must be known, got ${formatShape(x.shape)}`);
  const positions = constant({ dtype: "int32", shape: [size], data: Int32Array.from({ length: size }, (_, i) => i) });
  return equal(reshape(index, [...index.shape, 1]), positions);
}

export function requireIndex(name: string, index: number, size: number): number {
  if (index < 0 || index >= size) throw new Error(`${name}: index ${index} is not in [0, ${size})`);
  return index;
}

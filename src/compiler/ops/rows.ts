/** Gather and scatter between a flat order of rows and a padded layout. */
import { allocate, sizeOf } from "../../core/tensor-data.ts";
import { formatShape } from "../spec.ts";
import { apply, type Op, type Tensor } from "../tensor.ts";
import { requireFloat } from "./elementwise.ts";
import { requireIndex } from "./gather.ts";

type RowsOp = Pick<Op<null>, "vjp" | "lower">;

/** An op that gathers rows by an index; it also takes the index of the inverse, for its gradient. */
function rowsOp(name: string, spare: boolean, { vjp, lower }: RowsOp): Op<null> {
  return {
    name,
    infer: ([x, index, inverse]) => {
      const fits =
        index!.dtype === "int32" &&
        inverse!.dtype === "int32" &&
        index!.shape.length === 1 &&
        x!.shape.length > 0 &&
        inverse!.shape.join() === String(x!.shape[0]);
      if (!fits) {
        const shapes = [x!, index!, inverse!].map((t) => `${t.dtype} ${formatShape(t.shape)}`).join(", ");
        throw new Error(
          `${name}: expected rows, an int32 vector and an int32 vector of one index per row, got ${shapes}`,
        );
      }
      return { dtype: requireFloat(name, x!.dtype), shape: [...index!.shape, ...x!.shape.slice(1)] };
    },
    evaluate: ([x, index]) => {
      const width = sizeOf(x!.shape.slice(1));
      const data = allocate(x!.dtype, index!.data.length * width);
      for (let i = 0; i < index!.data.length; i++) {
        if (spare && index!.data[i]! < 0) continue;
        const row = requireIndex(name, index!.data[i]!, x!.shape[0]!);
        data.set(x!.data.subarray(row * width, (row + 1) * width), i * width);
      }
      return { dtype: x!.dtype, shape: [...index!.shape, ...x!.shape.slice(1)], data };
    },
    vjp,
    lower,
  };
}

export const scatterRowsOp = rowsOp("scatterRows", true, {
  vjp: ({ inputs: [, rowAt, placeOf] }, g) => [gatherRows(g, placeOf!, rowAt!), null, null],
  lower: (y, [x, rowAt], onnx) => {
    const zero = onnx.constant({ dtype: "int32", shape: [], data: Int32Array.of(0) });
    const rows = onnx.node("Gather", [x!, onnx.node("Max", [rowAt!, zero])], { axis: 0 });
    const kept = onnx.cast(onnx.node("GreaterOrEqual", [rowAt!, zero]), y.dtype);
    const axes = y.shape.slice(1).map((_, i) => i + 1);
    // Unsqueeze without axes is an error unless ONNX Runtime optimises it away.
    return onnx.node("Mul", [rows, axes.length === 0 ? kept : onnx.node("Unsqueeze", [kept, onnx.ints(axes)])]);
  },
});

export const gatherRowsOp = rowsOp("gatherRows", false, {
  vjp: ({ inputs: [, placeOf, rowAt] }, g) => [scatterRows(g, rowAt!, placeOf!), null, null],
  lower: (_, [x, placeOf], onnx) => onnx.node("Gather", [x!, placeOf!], { axis: 0 }),
});

/**
 * Scatters rows of x to places: row `rowAt[i]` at place i, zeros where it is −1; `placeOf` is the place of each row.
 */
export function scatterRows(x: Tensor, rowAt: Tensor, placeOf: Tensor): Tensor {
  return apply(scatterRowsOp, [x, rowAt, placeOf], null);
}

/** The inverse of `scatterRows`: row i is what x has at place `placeOf[i]`; `rowAt` is the row at each place, or −1. */
export function gatherRows(x: Tensor, placeOf: Tensor, rowAt: Tensor): Tensor {
  return apply(gatherRowsOp, [x, placeOf, rowAt], null);
}

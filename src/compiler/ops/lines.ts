/** Moving lines between two layouts that each hold a line at most once; the way back is the inverse index. */
import { allocate, sizeOf } from "../../core/tensor-data.ts";
import { apply, formatShape, type Op, type Tensor } from "../tensor.ts";
import { requireFloat } from "./elementwise.ts";
import { requireIndex } from "./gather.ts";

export const takeLinesOp: Op<null> = {
  name: "takeLines",
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
        `takeLines: expected lines, an int32 vector and an int32 vector of one index a line, got ${shapes}`,
      );
    }
    return { dtype: requireFloat("takeLines", x!.dtype), shape: [...index!.shape, ...x!.shape.slice(1)] };
  },
  evaluate: ([x, index]) => {
    const width = sizeOf(x!.shape.slice(1));
    const data = allocate(x!.dtype, index!.data.length * width);
    for (let i = 0; i < index!.data.length; i++) {
      if (index!.data[i]! < 0) continue;
      const line = requireIndex("takeLines", index!.data[i]!, x!.shape[0]!);
      data.set(x!.data.subarray(line * width, (line + 1) * width), i * width);
    }
    return { dtype: x!.dtype, shape: [...index!.shape, ...x!.shape.slice(1)], data };
  },
  vjp: (y, g) => [takeLines(g, y.inputs[2]!, y.inputs[1]!), null, null],
  lower: (y, [x, index], onnx) => {
    const zero = onnx.constant({ dtype: "int32", shape: [], data: Int32Array.of(0) });
    const lines = onnx.node("Gather", [x!, onnx.node("Max", [index!, zero])], { axis: 0 });
    const kept = onnx.cast(onnx.node("GreaterOrEqual", [index!, zero]), y.dtype);
    const axes = y.shape.slice(1).map((_, i) => i + 1);
    // Without axes Unsqueeze is an error wherever it is not optimised away.
    return onnx.node("Mul", [lines, axes.length === 0 ? kept : onnx.node("Unsqueeze", [kept, onnx.ints(axes)])]);
  },
};

/**
 * Line `index[i]` of x as line i, zeros where it is −1. `inverse` says for each line of x where it went (or −1), so that
 * the gradient is the same operation backwards.
 */
export function takeLines(x: Tensor, index: Tensor, inverse: Tensor): Tensor {
  return apply(takeLinesOp, [x, index, inverse], null);
}

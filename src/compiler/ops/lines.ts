/** Moving lines between a flat order and a layout that has a place for each, and maybe places to spare. */
import { allocate, sizeOf } from "../../core/tensor-data.ts";
import { apply, formatShape, type Op, type Tensor } from "../tensor.ts";
import { requireFloat } from "./elementwise.ts";
import { requireIndex } from "./gather.ts";

type LinesOp = Pick<Op<null>, "vjp" | "lower">;

/** An op of lines, the index by which it takes them, and the index of the way back. */
function linesOp(name: string, spare: boolean, { vjp, lower }: LinesOp): Op<null> {
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
          `${name}: expected lines, an int32 vector and an int32 vector of one index a line, got ${shapes}`,
        );
      }
      return { dtype: requireFloat(name, x!.dtype), shape: [...index!.shape, ...x!.shape.slice(1)] };
    },
    evaluate: ([x, index]) => {
      const width = sizeOf(x!.shape.slice(1));
      const data = allocate(x!.dtype, index!.data.length * width);
      for (let i = 0; i < index!.data.length; i++) {
        if (spare && index!.data[i]! < 0) continue;
        const line = requireIndex(name, index!.data[i]!, x!.shape[0]!);
        data.set(x!.data.subarray(line * width, (line + 1) * width), i * width);
      }
      return { dtype: x!.dtype, shape: [...index!.shape, ...x!.shape.slice(1)], data };
    },
    vjp,
    lower,
  };
}

export const spreadLinesOp = linesOp("spreadLines", true, {
  vjp: ({ inputs: [, lineAt, placeOf] }, g) => [collectLines(g, placeOf!, lineAt!), null, null],
  lower: (y, [x, lineAt], onnx) => {
    const zero = onnx.constant({ dtype: "int32", shape: [], data: Int32Array.of(0) });
    const lines = onnx.node("Gather", [x!, onnx.node("Max", [lineAt!, zero])], { axis: 0 });
    const kept = onnx.cast(onnx.node("GreaterOrEqual", [lineAt!, zero]), y.dtype);
    const axes = y.shape.slice(1).map((_, i) => i + 1);
    // Without axes Unsqueeze is an error wherever it is not optimised away.
    return onnx.node("Mul", [lines, axes.length === 0 ? kept : onnx.node("Unsqueeze", [kept, onnx.ints(axes)])]);
  },
});

export const collectLinesOp = linesOp("collectLines", false, {
  vjp: ({ inputs: [, placeOf, lineAt] }, g) => [spreadLines(g, lineAt!, placeOf!), null, null],
  lower: (_, [x, placeOf], onnx) => onnx.node("Gather", [x!, placeOf!], { axis: 0 }),
});

/** Line `lineAt[i]` of x at place i, zeros where it is −1; `placeOf` is the place of each line. */
export function spreadLines(x: Tensor, lineAt: Tensor, placeOf: Tensor): Tensor {
  return apply(spreadLinesOp, [x, lineAt, placeOf], null);
}

/** The way back: what stands at `placeOf[i]` of x as line i; `lineAt` is the line at each place, or −1. */
export function collectLines(x: Tensor, placeOf: Tensor, lineAt: Tensor): Tensor {
  return apply(collectLinesOp, [x, placeOf, lineAt], null);
}

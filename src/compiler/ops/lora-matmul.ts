/** Matmul with a weight into which a low-rank adapter was merged beforehand. */

import { formatShape } from "../spec.ts";
import { apply, type Op, type Tensor } from "../tensor.ts";
import { mul } from "./elementwise.ts";
import { matmul, matmulOp } from "./matmul.ts";

const attrs = { transposeA: false, transposeB: true };

export const loraMatmulOp: Op<null> = {
  name: "loraMatmul",
  infer: ([x, sum, a, b, scale]) => {
    const [out, into] = sum!.shape;
    const rank = a!.shape[0]!;
    const fits =
      formatShape(a!.shape) === formatShape([rank, into!]) && formatShape(b!.shape) === formatShape([out!, rank]);
    if (!fits || scale!.shape.length > 0) {
      const shapes = [sum!, a!, b!, scale!].map(({ shape }) => formatShape(shape)).join(" ");
      throw new Error(`loraMatmul: expected [out, in], [rank, in], [out, rank] and a number, got ${shapes}`);
    }
    return matmulOp.infer([x!, sum!], attrs);
  },
  evaluate: ([x, sum], _, sizes) => matmulOp.evaluate([x!, sum!], attrs, sizes),
  vjp: (y, g) => {
    const [x, sum, a, b, scale] = y.inputs as readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
    const low = mul(matmul(x, a, { transposeB: true }), scale);
    const dLow = mul(matmul(g, b), scale);
    return [matmul(g, sum), null, matmul(dLow, x, { transposeA: true }), matmul(g, low, { transposeA: true }), null];
  },
  lower: (_, [x, sum], onnx) => onnx.node("Gemm", [x!, sum!], { transA: 0, transB: 1 }),
};

/**
 * x sumᵀ for x [n, in], where the caller has merged sum = W + scale · B A from A [rank, in] and B [out, rank]. A and B
 * get the same gradients as with an unmerged frozen W, computed through the small rank. No gradient flows to W or the
 * scale.
 */
export function loraMatmul(x: Tensor, sum: Tensor, a: Tensor, b: Tensor, scale: Tensor): Tensor {
  return apply(loraMatmulOp, [x, sum, a, b, scale], null);
}

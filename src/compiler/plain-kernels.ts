/**
 * The same program without operators that ONNX Runtime has on the CPU alone. On a device it would compute those on the host, and
 * copy there what they read, weights and caches too, at every run.
 */
import { exp, log, sub } from "./ops/elementwise.ts";
import { matmul, matmulOp } from "./ops/matmul.ts";
import { logSoftmaxOp, max, sum } from "./ops/reduce.ts";
import { transpose } from "./ops/shape.ts";
import { rewrite } from "./rewrite.ts";
import type { Op, Program, Tensor } from "./tensor.ts";

/** FusedMatMul, for matmuls with a transposed operand that are no Gemm, and LogSoftmax. */
const plain: ReadonlyMap<Op, (node: Tensor) => Tensor> = new Map<Op, (node: Tensor) => Tensor>([
  [matmulOp, plainMatmul],
  [logSoftmaxOp, plainLogSoftmax],
]);

export function withPlainKernels({ inputs, outputs }: Program): Program {
  return { inputs, outputs: rewrite(outputs, (_, node) => plain.get(node.op)?.(node) ?? node) };
}

function plainMatmul({ inputs, attrs: { transposeA, transposeB } }: Tensor): Tensor {
  const [a, b] = inputs as readonly [Tensor, Tensor];
  if (a.shape.length === 2 && b.shape.length === 2) return matmul(a, b, { transposeA, transposeB });
  return matmul(transposeA ? transposed(a) : a, transposeB ? transposed(b) : b);
}

function transposed(matrices: Tensor): Tensor {
  const axes = matrices.shape.map((_, axis) => axis);
  return transpose(matrices, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}

function plainLogSoftmax({ inputs: [x] }: Tensor): Tensor {
  const shifted = sub(x!, max(x!));
  return sub(shifted, log(sum(exp(shifted), [x!.shape.length - 1], true)));
}

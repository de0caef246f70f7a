import { expect, test } from "vitest";
import { normal, randomKey } from "../core/random.ts";
import { float32, sizeOf } from "../core/tensor-data.ts";
import { interpret } from "./interpret.ts";
import { writeGraph } from "./onnx/lower.ts";
import { logSoftmax, matmul } from "./ops/index.ts";
import { matmulOp } from "./ops/matmul.ts";
import { withPlainKernels } from "./plain-kernels.ts";
import { apply, input } from "./tensor.ts";

test("transposed matmuls and log-softmax give the same numbers without operators that are the CPU's alone", () => {
  const a = input("a", "float32", ["rows", 2, 4, 3]);
  const b = input("b", "float32", [2, 5, 3]);
  const c = input("c", "float32", ["rows", 2, 4, 6]);
  const matrix = input("matrix", "float32", [5, 3]);
  const program = {
    inputs: { a, b, c, matrix },
    outputs: {
      right: matmul(a, b, { transposeB: true }),
      left: matmul(c, a, { transposeA: true }),
      folded: matmul(a, matrix, { transposeB: true }),
      unmerged: apply(matmulOp, [matrix, matrix], { transposeA: false, transposeB: true, unmerged: true }),
      logs: logSoftmax(c),
    },
  };
  const plain = withPlainKernels(program);
  const operators = writeGraph(plain).onnx.nodes.map(({ opType }) => opType);
  expect(operators).not.toContain("FusedMatMul");
  expect(operators).not.toContain("LogSoftmax");
  expect(writeGraph(program).onnx.nodes.map(({ opType }) => opType)).toContain("FusedMatMul");
  const shapes = { a: [2, 2, 4, 3], b: [2, 5, 3], c: [2, 2, 4, 6], matrix: [5, 3] };
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => 30 * normal(randomKey(1, name), i));
      return [name, float32(shape, values)];
    }),
  );
  const [expected, found] = [interpret(program, feeds), interpret(plain, feeds)];
  for (const [name, { shape, data }] of Object.entries(expected)) {
    expect(found[name]!.shape).toEqual(shape);
    for (const [i, value] of data.entries()) expect(found[name]!.data[i]).toBeCloseTo(Number(value), 3);
  }
});

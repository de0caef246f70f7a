import { expect, test } from "vitest";
import { float32 } from "../core/tensor-data.ts";
import { grad } from "./grad.ts";
import { interpret } from "./interpret.ts";
import { add, matmul, mul, ops, reshape, softmax, splitPart, sum, swish } from "./ops/index.ts";
import { forSmallBatch, selectSavedActivations } from "./rewrite.ts";
import { input, type Program, type Tensor, topologicalOrder } from "./tensor.ts";

const numbers = (...shape: readonly number[]) => {
  const size = shape.reduce((product, n) => product * n, 1);
  return float32(
    shape,
    Array.from({ length: size }, (_, i) => Math.sin(3 * i + size)),
  );
};
const linear = (x: Tensor, weight: Tensor) => matmul(x, weight, { transposeB: true });
const transpositions = ({ outputs }: Program) =>
  topologicalOrder(Object.values(outputs)).filter(({ op }) => op === ops.transpose).length;

test("for small batches, matmuls and element-wise ops between them stay transposed", () => {
  const x = input("x", "float32", ["n", 3]);
  const both = input("both", "float32", [8, 3]);
  const down = input("down", "float32", [3, 4]);
  const gateAndUp = linear(x, both);
  const [gate, up] = [0, 1].map((i) => splitPart(gateAndUp, 1, [4, 4], i)) as [Tensor, Tensor];
  const y = add(x, linear(mul(swish(gate, 1), up), down));
  const program = { inputs: { x, both, down }, outputs: { y } };
  const rewritten = forSmallBatch(program);
  expect(transpositions(rewritten)).toBe(1);
  const feeds = { x: numbers(5, 3), both: numbers(8, 3), down: numbers(3, 4) };
  expect(interpret(rewritten, feeds).y).toEqual(interpret(program, feeds).y);
});

test("for small batches, an op that mixes transposed and plain operands gets plain ones", () => {
  const x = input("x", "float32", ["n", 3]);
  const weight = input("weight", "float32", [3, 3]);
  const bias = input("bias", "float32", [3]);
  const program = {
    inputs: { x, weight, bias },
    outputs: { y: add(linear(x, weight), bias), z: mul(x, linear(x, weight)) },
  };
  const feeds = { x: numbers(2, 3), weight: numbers(3, 3), bias: numbers(3) };
  expect(interpret(forSmallBatch(program), feeds)).toEqual(interpret(program, feeds));
});

test("matmuls of large inner size are saved, as sums where something is added to them, and nothing else is", () => {
  const x = input("x", "float32", ["n", 512]);
  const weight = input("weight", "float32", [512, 512]);
  const [a, b] = [input("a", "float32", [8, 512]), input("b", "float32", [512, 8])];
  const low = linear(x, a);
  const adapted = add(linear(x, weight), linear(low, b));
  const heads = reshape(adapted, ["n", 8, 64]);
  const scores = matmul(heads, heads, { transposeB: true }); // inner size 64
  const mixed = matmul(softmax(scores), heads); // 8
  const last = linear(reshape(mixed, ["n", 512]), a);
  const y = linear(last, b); // 8
  const kept = selectSavedActivations(y, grad(sum(mul(y, y)), [x, weight, a, b]));
  const names = new Map(Object.entries({ low, adapted, scores, mixed, last, y }).map(([name, node]) => [node, name]));
  expect(kept.map((node) => names.get(node))).toEqual(["low", "adapted", "last"]);
});

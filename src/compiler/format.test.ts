import { expect, test } from "vitest";
import { float32, int32, tensorData } from "../core/tensor-data.ts";
import { formatProgram } from "./format.ts";
import { add, broadcastTo, cast, concatDynamic, gather, matmul, mul, reshape, sum } from "./ops/index.ts";
import { constant, input, scalar } from "./tensor.ts";

const x = input("x", "float32", ["rows", 4]);
const weight = input("proj.weight", "float32", [8, 4]);

test("inputs with shapes, numbered nodes with attributes, named outputs; a shared node appears once", () => {
  const spare = input("spare", "int32", []);
  const y = matmul(x, weight, { transposeB: true });
  const heads = reshape(y, ["rows", 2, 4]);
  const total = sum(mul(heads, heads), [1, 2], true);
  expect(formatProgram({ inputs: { x, "proj.weight": weight, spare }, outputs: { y, total, x } })).toBe(
    `inputs
  x : float32[rows, 4]
  proj.weight : float32[8, 4]
  spare : int32[]  // unused
nodes
  %0 = matmul(x, proj.weight) {transposeB} : float32[rows, 8]
  %1 = reshape(%0) : float32[rows, 2, 4]
  %2 = mul(%1, %1) : float32[rows, 2, 4]
  %3 = sum(%2) {axes: [1, 2], keepDims} : float32[rows, 1, 1]
outputs
  y = %0
  total = %3
  x = x`,
  );
});

test("constants: scalars by value, with as few digits as float32 needs; arrays by shape and first values", () => {
  const table = constant(float32([2, 4], [0.1, -0, 1 / 3, 2e-7, 5, 6, 7, 8]));
  const index = constant(int32([2], [1, 0]));
  const flags = constant(tensorData("bool", [0], new Uint8Array(0)));
  const half = mul(gather(table, index), scalar(0.5));
  const nothing = cast(flags, "float32");
  const four = broadcastTo(constant(int32([], [4])), [2]);
  const huge = mul(half, mul(scalar(Number.POSITIVE_INFINITY), scalar(16777217)));
  expect(formatProgram({ inputs: {}, outputs: { huge, nothing, four } })).toBe(
    `nodes
  %0 = constant [0.1, -0, 0.33333334, 2e-7, …] : float32[2, 4]
  %1 = constant [1, 0] : int32[2]
  %2 = gather(%0, %1) : float32[2, 4]
  %3 = mul(%2, 0.5) : float32[2, 4]
  %4 = mul(Infinity, 16777216) : float32[]
  %5 = mul(%3, %4) : float32[2, 4]
  %6 = constant [] : bool[0]
  %7 = cast(%6) {to: float32} : float32[0]
  %8 = broadcastTo(int32(4)) : int32[2]
outputs
  huge = %5
  nothing = %7
  four = %8`,
  );
});

test("symbolic sizes by name; an undeclared input is listed among the nodes", () => {
  const stray = input("stray", "float32", ["more", 4]);
  const both = concatDynamic([x, stray], 0, "all");
  const namesake = input("x", "float32", ["all", 4]);
  expect(formatProgram({ inputs: { x }, outputs: { y: add(both, namesake) } })).toBe(
    `inputs
  x : float32[rows, 4]
nodes
  %0 = input() {name: stray} : float32[more, 4]
  %1 = concatDynamic(x, %0) {axis: 0, size: all} : float32[all, 4]
  %2 = input() {name: x} : float32[all, 4]
  %3 = add(%1, %2) : float32[all, 4]
outputs
  y = %3`,
  );
});

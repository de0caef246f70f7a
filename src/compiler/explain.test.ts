import { describe, expect, test } from "vitest";
import { float32, tensorData } from "../core/tensor-data.ts";
import { explainRewrites } from "./explain.ts";
import { formatProgram } from "./format.ts";
import {
  add,
  applyRotary,
  dequantize,
  exp,
  gather,
  log,
  matmul,
  mul,
  neg,
  reshape,
  splitPart,
  stopGradient,
  swish,
  transpose,
} from "./ops/index.ts";
import { forSmallBatch, rewrite, withQuantizedWeights } from "./rewrite.ts";
import { apply, constant, input, type Program, type Tensor } from "./tensor.ts";

const x = input("x", "float32", ["n", 4]);

/** The explanation of one rewrite, without that of the lowering. */
const explained = (program: Program, change: (program: Program) => Program) =>
  explainRewrites(program, { change }).split("\nlowering:")[0];

describe("rewrites", () => {
  test("forSmallBatch on a layer: existing nodes keep their numbers, new nodes are numbered after them", () => {
    const up = input("up", "float32", [8, 4]);
    const down = input("down", "float32", [4, 8]);
    const hidden = swish(matmul(x, up, { transposeB: true }), 1);
    const program = { inputs: { x, up, down }, outputs: { y: add(x, matmul(hidden, down, { transposeB: true })) } };
    expect(formatProgram(program)).toContain(
      `nodes
  %0 = matmul(x, up) {transposeB} : float32[n, 8]
  %1 = swish(%0) {beta: 1} : float32[n, 8]
  %2 = matmul(%1, down) {transposeB} : float32[n, 4]
  %3 = add(x, %2) : float32[n, 4]
outputs`,
    );
    expect(explainRewrites(program, { withQuantizedWeights, forSmallBatch })).toBe(
      `withQuantizedWeights: nothing
forSmallBatch: 4 -> 5 nodes: 3 removed, 4 added, 1 changed
  - %0 = matmul(x, up) {transposeB} : float32[n, 8]
  - %1 = swish(%0) {beta: 1} : float32[n, 8]
  - %2 = matmul(%1, down) {transposeB} : float32[n, 4]
  + %4 = matmul(up, x) {transposeB, unmerged} : float32[8, n]
  + %5 = swish(%4) {beta: 1} : float32[8, n]
  + %6 = matmul(down, %5) {unmerged} : float32[4, n]
  + %7 = transpose(%6) {permutation: [1, 0]} : float32[n, 4]
  ~ %3 = add(x, %7) : float32[n, 4]  // was add(x, %2)
lowering: 5 -> 5 nodes: 0 common subexpressions, 0 dead, 0 reading past reshapes
  ONNX nodes: 5: Add 1, FusedMatMul 2, QuickGelu 1, Transpose 1`,
    );
  });

  test("withQuantizedWeights: weights become constants and their inputs disappear", () => {
    const packed = input("w.packed", "uint8", [2, 32]);
    const scales = input("w.scales", "float32", [2, 1]);
    const rows = input("rows", "float32", ["n", 32]);
    const y = matmul(rows, dequantize(packed, scales, 8), { transposeB: true });
    const held = {
      "w.packed": tensorData("uint8", [2, 32], new Uint8Array(64).fill(7)),
      "w.scales": float32([2, 1], [0.5, 2]),
    };
    const program = { inputs: { rows, "w.packed": packed, "w.scales": scales }, outputs: { y } };
    expect(explained(program, (p) => withQuantizedWeights(p, held))).toBe(
      `change: 2 -> 3 nodes: 2 removed, 3 added, 0 changed
  - input w.packed : uint8[2, 32]
  - input w.scales : float32[2, 1]
  - %0 = dequantize(w.packed, w.scales) {bits: 8} : float32[2, 32]
  - %1 = matmul(rows, %0) {transposeB} : float32[n, 2]
  + %2 = constant [7, 7, 7, 7, …] : uint8[2, 32]
  + %3 = constant [0.5, 2] : float32[2, 1]
  + %4 = quantizedMatmul(rows, %2, %3) {bits: 8} : float32[n, 2]
  ~ output y = %4  // was %1`,
    );
  });

  test("withQuantizedWeights: fed integers stay inputs", () => {
    const packed = input("w.packed", "uint8", [2, 32]);
    const scales = input("w.scales", "float32", [2, 1]);
    const rows = input("rows", "float32", ["n", 32]);
    const y = matmul(rows, dequantize(packed, scales, 8), { transposeB: true });
    const program = { inputs: { rows, "w.packed": packed, "w.scales": scales }, outputs: { y } };
    expect(explained(program, (p) => withQuantizedWeights(p, "fed"))).toBe(
      `change: 2 -> 1 nodes: 2 removed, 1 added, 0 changed
  - %0 = dequantize(w.packed, w.scales) {bits: 8} : float32[2, 32]
  - %1 = matmul(rows, %0) {transposeB} : float32[n, 2]
  + %2 = quantizedMatmul(rows, w.packed, w.scales) {bits: 8} : float32[n, 2]
  ~ output y = %2  // was %1`,
    );
  });

  test("replacing a node by an input", () => {
    const kept = input("kept.0", "float32", ["n", 4]);
    const costly = exp(x);
    const program = { inputs: { x }, outputs: { a: mul(neg(costly), costly), b: log(x) } };
    const reading = (p: Program) => ({
      inputs: { ...p.inputs, "kept.0": kept },
      outputs: rewrite(p.outputs, (original, node) => (original === costly ? kept : node)),
    });
    expect(explained(program, reading)).toBe(
      `change: 4 -> 3 nodes: 1 removed, 0 added, 2 changed
  + input kept.0 : float32[n, 4]
  - %0 = exp(x) : float32[n, 4]
  ~ %1 = neg(kept.0) : float32[n, 4]  // was neg(%0)
  ~ %2 = mul(%1, kept.0) : float32[n, 4]  // was mul(%1, %0)`,
    );
  });

  test("rebuilding an identical graph counts as no change", () => {
    const table = constant(float32([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]));
    const index = input("index", "int32", ["n"]);
    const y = add(exp(gather(table, index)), exp(x));
    const again = (t: Tensor): Tensor => (t.inputs.length === 0 ? t : apply(t.op, t.inputs.map(again), t.attrs));
    const rebuilt = (p: Program) => ({ ...p, outputs: { y: again(p.outputs.y!) } });
    expect(explained({ inputs: { x, index }, outputs: { y } }, rebuilt)).toBe("change: nothing");
  });

  test("removing an output and adding another", () => {
    const y = exp(x);
    const program = { inputs: { x }, outputs: { y, z: y } };
    expect(explained(program, ({ inputs }) => ({ inputs, outputs: { y, more: x } }))).toBe(
      `change: 1 -> 1 nodes: 0 removed, 0 added, 0 changed
  - output z = %0
  + output more = x`,
    );
  });
});

describe("lowering", () => {
  const lowering = (inputs: readonly Tensor[], outputs: Program["outputs"]) =>
    explainRewrites({ inputs: Object.fromEntries(inputs.map((t) => [t.attrs.name, t])), outputs }, {});

  test("common subexpressions, and nodes that alias their input", () => {
    expect(lowering([x], { y: mul(neg(exp(x)), stopGradient(neg(exp(x)))) })).toBe(
      `lowering: 6 -> 3 nodes: 3 common subexpressions, 0 dead, 0 reading past reshapes
  - %2 = exp(x) : float32[n, 4]  // same as %0
  - %3 = neg(%2) : float32[n, 4]  // same as %1
  - %4 = stopGradient(%3) : float32[n, 4]  // same as %1
  ONNX nodes: 3: Exp 1, Mul 1, Neg 1`,
    );
  });

  test("chains of reshapes, including a transpose that moves no element", () => {
    const column = transpose(reshape(exp(x), ["n", 4, 1]), [0, 2, 1]);
    expect(lowering([x], { y: neg(reshape(column, ["n", 2, 2])) })).toBe(
      `lowering: 5 -> 3 nodes: 0 common subexpressions, 2 dead, 1 reading past reshapes
  - %1 = reshape(%0) : float32[n, 4, 1]
  - %2 = transpose(%1) {permutation: [0, 2, 1]} : float32[n, 1, 4]
  ~ %3 = reshape(%2) : float32[n, 2, 2]  // reads %0
  ONNX nodes: 3: Exp 1, Neg 1, Reshape 1`,
    );
  });

  test("an op that ends in a reshape is emitted, even where its consumer reads past that reshape", () => {
    const rotated = input("rotated", "float32", [1, "n", 2, 8]);
    const [cos, sin] = ["cos", "sin"].map((name) => input(name, "float32", [1, "n", 4])) as [Tensor, Tensor];
    const y = reshape(applyRotary(rotated, cos, sin), ["n", 16]);
    const text = lowering([rotated, cos, sin], { y });
    expect(text).toContain("lowering: 2 -> 2 nodes: 0 common subexpressions, 0 dead, 0 reading past reshapes\n");
    expect(text).toContain("RotaryEmbedding 1");
  });

  test("splitting an axis takes a single node", () => {
    const outputs = { a: splitPart(x, 1, [1, 3], 0), b: splitPart(x, 1, [1, 3], 1) };
    expect(lowering([x], outputs)).toBe(
      `lowering: 2 -> 2 nodes: 0 common subexpressions, 0 dead, 0 reading past reshapes
  ONNX nodes: 1: Split 1`,
    );
  });
});

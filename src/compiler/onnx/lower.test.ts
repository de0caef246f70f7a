import { describe, expect, test } from "vitest";
import { float32 } from "../../core/tensor-data.ts";
import { grad } from "../grad.ts";
import { add, broadcastTo, exp, mul, neg, reshape, splitPart, sum, zerosLike } from "../ops/index.ts";
import { constant, input, type Program, type Tensor } from "../tensor.ts";
import { lower, usedInputs } from "./lower.ts";

const x = input("x", "float32", ["n", 2]);
const y = input("y", "float32", ["n", 2]);
const unused = input("unused", "float32", [3]);

describe("lower", () => {
  test("common subexpressions are eliminated", () => {
    const model = read({ inputs: { x }, outputs: { t: mul(neg(exp(x)), neg(exp(x))) } });
    expect(model.nodes).toEqual(["Exp", "Neg", "Mul"]);
  });

  test("nodes that differ in inputs, order or attributes are not", () => {
    const t = add(add(exp(x), exp(y)), add(exp(y), exp(x)));
    expect(read({ inputs: { x, y }, outputs: { t } }).nodes).toEqual(["Exp", "Exp", "Add", "Add", "Add"]);
    const sums = { a: sum(x, [0]), b: sum(x, [1]), c: sum(x, [0], true) };
    expect(read({ inputs: { x }, outputs: sums }).nodes.filter((op) => op === "ReduceSum")).toHaveLength(3);
  });

  test("a chain of reshapes collapses into its last", () => {
    const t = reshape(reshape(exp(x), ["n", 2, 1]), ["n", 1, 2]);
    expect(read({ inputs: { x }, outputs: { t } }).nodes).toEqual(["Exp", "Reshape"]);
  });

  test("one Split node yields all parts of a concatenated axis", () => {
    const parts = [0, 1, 2].map((part) => neg(splitPart(x, 1, [1, 1, 0], part)));
    const outputs = Object.fromEntries(parts.map((t, i) => [`t${i}`, t]));
    expect(read({ inputs: { x }, outputs }).nodes).toEqual(["Split", "Neg", "Neg", "Neg"]);
  });

  test("equal small constants share an initializer, other dtypes and shapes do not", () => {
    const zeros = [
      constant(float32([2], [0, 0])),
      constant(float32([2], [0, 0])),
      constant(float32([1, 2], [0, 0])),
      constant({ dtype: "int32", shape: [2], data: new Int32Array(2) }),
    ];
    const outputs = Object.fromEntries(zeros.map((t, i) => [`t${i}`, t]));
    expect(read({ inputs: {}, outputs }).initializers).toHaveLength(3);
  });

  test("a view into a larger buffer stores only its own elements", () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    const part = constant({ dtype: "float32", shape: [2], data: whole.subarray(1, 3) });
    const [initializer] = read({ inputs: {}, outputs: { part } }).initializers;
    expect(new Float32Array(initializer!.slice().buffer)).toEqual(Float32Array.of(2, 3));
  });

  test("unused inputs are dropped", () => {
    const program = { inputs: { unused, x, y }, outputs: { t: exp(x) } };
    expect(read(program).inputs).toEqual(["x"]);
    expect(usedInputs(program)).toEqual(["x"]);
  });

  test("an input is kept when it alone provides a symbolic size", () => {
    const programs = { zeros: zerosLike(x), both: broadcastTo(constant(float32([1, 2], [0, 0])), ["n", 2]) };
    for (const t of Object.values(programs)) {
      const program = { inputs: { unused, x, y }, outputs: { t } };
      expect(read(program).inputs).toEqual(["x"]);
      expect(usedInputs(program)).toEqual(["x"]);
    }
    expect(usedInputs({ inputs: { x, y }, outputs: { t: add(zerosLike(x), y) } })).toEqual(["y"]);
  });

  test("an input can be an output, and one tensor two outputs", () => {
    const model = read({ inputs: { x }, outputs: { a: x, b: exp(x), c: exp(x) } });
    expect(model.outputs).toEqual(["a", "b", "c"]);
    expect(model.nodes).toEqual(["Exp", "Identity", "Identity"]);
  });

  test("an undeclared input", () => {
    const message = 'internal: the program uses the input "y" but does not declare it';
    expect(() => lower({ inputs: { x }, outputs: { t: add(x, y) } })).toThrow(message);
    const namesake = input("y", "float32", ["n", 2]);
    expect(() => lower({ inputs: { x, y: namesake }, outputs: { t: add(x, y) } })).toThrow(message);
  });

  test("an input declared under another name, or a node that is not an input", () => {
    expect(() => lower({ inputs: { z: x }, outputs: { t: exp(x) } })).toThrow('internal: "z" is not that input');
    expect(() => lower({ inputs: { z: exp(x) as Tensor }, outputs: {} })).toThrow('internal: "z" is not that input');
  });

  test("a symbolic size introduced by a reshape is available in its gradient", () => {
    const loss = sum(exp(sum(reshape(x, ["m", 4]), [1])));
    const [dx] = grad(loss, [x]);
    expect(read({ inputs: { x }, outputs: { loss, dx: dx! } }).nodes).toContain("Shape");
  });

  test("a symbolic size that no value provides", () => {
    const t = broadcastTo(constant(float32([], [0])), ["k"]);
    expect(() => lower({ inputs: { x }, outputs: { t } })).toThrow('internal: no program input has the size "k"');
    const two = reshape(x, ["j", "k"]);
    expect(() => lower({ inputs: { x }, outputs: { two } })).toThrow('internal: no program input has the size "k"');
  });
});

/** Contents of a model: op types of nodes, bytes of initializers, names of inputs and outputs (onnx.proto3). */
function read(program: Program) {
  const model = fields(lower(program).model);
  const graph = fields(model.find(({ field }) => field === 7)!.bytes);
  const all = (field: number) => graph.filter((f) => f.field === field).map((f) => fields(f.bytes));
  const one = (message: readonly Field[], field: number) => message.find((f) => f.field === field)!.bytes;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    nodes: all(1).map((node) => text(one(node, 4))),
    initializers: all(5).map((tensor) => one(tensor, 9)),
    inputs: all(11).map((value) => text(one(value, 1))),
    outputs: all(12).map((value) => text(one(value, 1))),
  };
}

interface Field {
  readonly field: number;
  /** Empty for varints. */
  readonly bytes: Uint8Array;
}

/** The fields of one message of varints and length-delimited values. */
function fields(message: Uint8Array): Field[] {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  const out: Field[] = [];
  while (at < message.length) {
    const key = varint();
    const length = varint();
    const delimited = key % 8 === 2;
    out.push({ field: Math.floor(key / 8), bytes: message.subarray(at, delimited ? at + length : at) });
    if (delimited) at += length;
  }
  return out;
}

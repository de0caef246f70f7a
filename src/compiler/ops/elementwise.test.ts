import { describe, expect, test } from "vitest";
import { float32, int32 } from "../../core/tensor-data.ts";
import { constant, input, scalar } from "../tensor.ts";
import { add, erfOp, mul } from "./elementwise.ts";
import { broadcastTo, broadcastToOp } from "./shape.ts";

const x = input("x", "float32", ["n", 2]);
const counts = input("counts", "int32", [2]);

describe("erf", () => {
  // Reference values from C's erf.
  test.each([
    [1e-8, 1.1283791670955126e-8],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.999, 0.9953015566513705],
    [2.001, 0.9953428907185247],
    [2.999, 0.9999777698314002],
    [3.5, 0.9999992569016276],
    [5, 0.9999999999984626],
    [7, 1],
  ])("of %d", (argument, value) => {
    const of = (a: number) => {
      const data = Float64Array.of(a);
      return erfOp.evaluate([{ dtype: "float64", shape: [], data }], null, {}).data[0]!;
    };
    expect(Math.abs(of(argument) / value - 1)).toBeLessThan(2e-15);
    expect(of(-argument)).toBe(-of(argument));
  });
});

describe("simplification in builders", () => {
  test("multiplying by the scalar 1 returns the other operand", () => {
    expect(mul(x, scalar(1))).toBe(x);
    expect(mul(scalar(1), x)).toBe(x);
    expect(mul(constant(int32([], [1])), counts)).toBe(counts);
  });

  test("but not if the 1 has another dtype or shape", () => {
    expect(() => mul(scalar(1), counts)).toThrow("mul: dtypes must match, got float32 and int32");
    expect(() => mul(x, constant(int32([], [1])))).toThrow("mul: dtypes must match, got float32 and int32");
    expect(mul(x, constant(float32([1, 1, 1], [1]))).shape).toEqual([1, "n", 2]);
  });

  test("a broadcast implied by the other operand is dropped, one that determines the shape is kept", () => {
    const row = input("row", "float32", [2]);
    expect(add(broadcastTo(row, ["n", 2]), x).inputs).toEqual([row, x]);
    expect(add(x, broadcastTo(row, ["n", 2])).inputs).toEqual([x, row]);
    const both = add(broadcastTo(row, ["n", 2]), broadcastTo(scalar(1), ["n", 2]));
    expect(both.shape).toEqual(["n", 2]);
    expect(both.inputs.filter((t) => t.op === broadcastToOp)).toHaveLength(1);
  });
});

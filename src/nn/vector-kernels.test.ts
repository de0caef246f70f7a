import { describe, expect, test } from "vitest";
import { normal, randomKey } from "../core/random.ts";
import { createVectorKernels } from "./vector-kernels.ts";

const { addInPlace, sumOfSquares } = createVectorKernels();

/** Lengths around a vector's four elements and a chunk's 8,192, the longest first: stale memory must not count. */
const lengths = [20_001, 8193, 8192, 8191, 5, 4, 3, 1, 0];

function numbers(length: number, name: string): Float32Array {
  const key = randomKey(3, name);
  return Float32Array.from({ length }, (_, i) => normal(key, i));
}

describe.each(lengths)("%i numbers", (length) => {
  test("element-wise float32 addition", () => {
    const [a, b] = [numbers(length, "a"), numbers(length, "b")];
    const expected = a.map((x, i) => x + b[i]!);
    addInPlace(a, b);
    expect(a).toEqual(expected);
    expect(b).toEqual(numbers(length, "b"));
  });

  test("sum of squares in float64", () => {
    const a = numbers(length, "a");
    const expected = a.reduce((total, x) => total + x * x, 0);
    expect(Math.abs(sumOfSquares(a) - expected)).toBeLessThanOrEqual(1e-12 * expected);
    expect(a).toEqual(numbers(length, "a"));
  });
});

test("reads and writes only within a view of a larger array", () => {
  const whole = new Float32Array(12).fill(1);
  addInPlace(whole.subarray(3, 8), new Float32Array(5).fill(2));
  expect([...whole]).toEqual([1, 1, 1, 3, 3, 3, 3, 3, 1, 1, 1, 1]);
  expect(sumOfSquares(whole.subarray(2, 5))).toBe(19);
});

test("squares beyond float32, and NaN", () => {
  expect(sumOfSquares(Float32Array.of(1e30))).toBeCloseTo(1e60, -54);
  expect(sumOfSquares(Float32Array.of(1, Number.NaN))).toBeNaN();
  expect(sumOfSquares(Float32Array.of(1, 2, 3, Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
});

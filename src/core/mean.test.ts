import { expect, test } from "vitest";
import { meanOf } from "./mean.ts";

test("the mean of lists and arrays, 0 if empty", () => {
  expect(meanOf([1, 2, 6])).toBe(3);
  expect(meanOf(Float32Array.of(0.5, 1.5))).toBe(1);
  expect(meanOf([])).toBe(0);
  expect(meanOf([1, Number.NaN])).toBeNaN();
});

import { expect, test } from "vitest";
import { windowsOf } from "./windows.ts";

test("patches of one token share a window, and edges cut windows off", () => {
  // 3 x 5 tokens in windows of 2 x 2: two rows of three windows.
  const windows = windowsOf([1, 6, 10], 2, 2);
  const ofToken = Array.from({ length: 15 }, (_, i) => [...windows.subarray(4 * i, 4 * i + 4)]);
  for (const own of ofToken) expect(new Set(own).size).toBe(1);
  expect(ofToken.map(([window]) => window)).toEqual([0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 3, 3, 4, 4, 5]);
});

test("an image that fits a window has one, a single row has as many as it is wide", () => {
  expect(new Set(windowsOf([1, 4, 8], 2, 4))).toEqual(new Set([0]));
  expect([...windowsOf([1, 2, 20], 2, 4)].filter((_, i) => i % 4 === 0)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
});

test("frames have windows of their own", () => {
  expect([...windowsOf([2, 2, 4], 2, 1)]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
});

import { expect, test } from "vitest";
import { percent, points, wholePercent } from "./percent.ts";

test("shares and their differences", () => {
  expect([0, 0.6287, 1].map(percent)).toEqual(["0.0", "62.9", "100.0"]);
  expect([0.004, 0.625].map(wholePercent)).toEqual(["0 %", "63 %"]);
  expect([0.031, -0.004, 0, -0.0004, 0.0004].map(points)).toEqual(["+3.1", "-0.4", "0.0", "0.0", "0.0"]);
});

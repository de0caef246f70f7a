import { expect, test } from "vitest";
import { integer, randomKey, uniform } from "../core/random.ts";
import { preferredPair } from "./preferred-pair.ts";

test("the furthest apart by at least the gap, and never a wrong answer over a right one", () => {
  expect(preferredPair([0.9, 0.4, 0.2], { minGap: 0.2 })).toEqual({ chosen: 0, rejected: 2 });
  expect(preferredPair([0.9, 0.4, 0.2], { minGap: 0.2, right: [0, 1, 1] })).toEqual({ chosen: 1, rejected: 2 });
  expect(preferredPair([0.9, 0.4, 0.2], { minGap: 0.3, right: [0, 1, 1] })).toBe(null);
  expect(preferredPair([0.7, 0.5], { minGap: 0.2 })).toEqual({ chosen: 0, rejected: 1 });
  expect(preferredPair([0.5, 0.5], { minGap: 0, right: [1, 0] })).toBe(null);
  expect(preferredPair([0.9, 0.4], { minGap: 0, right: [0, null] })).toEqual({ chosen: 0, rejected: 1 });
  expect(preferredPair([null, 0.5], { minGap: 0 })).toBe(null);
  expect(preferredPair([], { minGap: 0 })).toBe(null);
});

test("holds on a thousand random groups", () => {
  for (let seed = 0; seed < 1000; seed++) {
    const key = randomKey(seed, "pair");
    const scores = Array.from({ length: 6 }, (_, i) => uniform(key, i));
    const right = scores.map((_, i) => integer(key, 10 + i, 2));
    const pair = preferredPair(scores, { minGap: 0.2, right });
    if (pair === null) continue;
    expect(scores[pair.chosen]! - scores[pair.rejected]!).toBeGreaterThanOrEqual(0.2);
    expect(right[pair.chosen]!).toBeGreaterThanOrEqual(right[pair.rejected]!);
  }
});

import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { normal, randomKey } from "../core/random.ts";
import { type MergeOptions, mergeUpdates } from "./merge.ts";

const key = randomKey(1, "merge");
const options = (more: Partial<MergeOptions>): MergeOptions => {
  return { method: "ties", weights: [1, 1, 1], density: 1, lambda: 1, key, ...more };
};
const update = (seed: number) => Float32Array.from({ length: 200 }, (_, i) => normal(randomKey(seed, "update"), i));

describe("merging updates", () => {
  it("leaves one update as it is, whatever the method", () => {
    for (const method of ["mean", "sum", "ties", "dare_ties"] as const) {
      expect([...mergeUpdates([update(1)], options({ method, weights: [1] }))]).toEqual([...update(1)]);
    }
  });

  it("does not depend on the order, and adds up what does not overlap", () => {
    const [a, b, c] = [update(1), update(2), update(3)];
    for (const method of ["mean", "sum", "ties"] as const) {
      const [one, other] = [
        [a, b, c],
        [c, a, b],
      ].map((list) => mergeUpdates(list, options({ method, density: 0.5 })));
      for (const [i, value] of one!.entries()) expect(other![i]).toBeCloseTo(value, 6);
    }
    const left = a.map((value, i) => (i < 100 ? value : 0));
    const right = b.map((value, i) => (i < 100 ? 0 : value));
    const sum = mergeUpdates([left, right], options({ weights: [1, 1] }));
    expect([...sum]).toEqual([...left].map((value, i) => value + right[i]!));
  });

  it("takes the positive of two opposite updates of equal size", () => {
    const a = Float32Array.of(2, -3);
    expect([...mergeUpdates([a, a.map((value) => -value)], options({ weights: [1, 1] }))]).toEqual([2, 3]);
  });

  it("drops at random with dare_ties and keeps the mean", () => {
    const ones = new Float32Array(1000).fill(1);
    const merged = mergeUpdates([ones], options({ method: "dare_ties", weights: [1], density: 0.25 }));
    expect(merged.filter((value) => value === 4).length).toBe(250);
    expect(merged.filter((value) => value === 0).length).toBe(750);
  });

  interface Golden {
    readonly deltas: number[][][];
    readonly density: number;
    readonly merged: number[][];
    readonly merged_weights_1_2_1: number[][];
    readonly mean_merge: number[][];
  }
  itMatchesGolden<Golden>("ties", "PEFT's result, with and without weights, and the mean", (golden) => {
    const deltas = golden.deltas.map((delta) => Float32Array.from(delta.flat()));
    const { density } = golden;
    const expectClose = (more: Partial<MergeOptions>, wanted: number[][]) => {
      const merged = mergeUpdates(deltas, options({ density, ...more }));
      for (const [i, value] of wanted.flat().entries()) expect(merged[i]).toBeCloseTo(value, 6);
    };
    expectClose({}, golden.merged);
    expectClose({ weights: [1, 2, 1] }, golden.merged_weights_1_2_1);
    expectClose({ method: "mean" }, golden.mean_merge);
  });
});

import { expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { labelWeights, SMOOTHING, smoothed } from "./label-distribution.ts";

it("weights have mean 1; equal densities weigh the same, and power 0 leaves all alike", () => {
  const targets = [1, 1, 1, 1, 2, 2, 9.5];
  for (const power of [0, 0.5, 1]) {
    for (const smooth of [false, true]) {
      const weights = labelWeights(targets, { binWidth: 1, power, smooth });
      expect(weights.reduce((sum, weight) => sum + weight, 0) / targets.length).toBeCloseTo(1, 12);
      if (power > 0) expect(weights.at(-1)!).toBeGreaterThan(weights[0]!);
      else expect(new Set(weights)).toEqual(new Set([1]));
    }
  }
});

interface Golden {
  readonly targets: number[];
  readonly bin_width: number;
  readonly counts: number[];
  readonly kernel_ours: number[];
  readonly smoothed: number[];
  readonly weight_inverse: number[];
  readonly weight_sqrt_inverse: number[];
  readonly weight_lds_sqrt: number[];
}
itMatchesGolden<Golden>("label_distribution", "kernel, smoothed counts and weights", (golden) => {
  const expectClose = (found: readonly number[], wanted: readonly number[]) => {
    expect(found).toHaveLength(wanted.length);
    for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 9);
  };
  expectClose(SMOOTHING, golden.kernel_ours);
  expectClose(smoothed(golden.counts), golden.smoothed);
  const of = (power: number, smooth: boolean) =>
    labelWeights(golden.targets, { binWidth: golden.bin_width, power, smooth });
  expectClose(of(1, false), golden.weight_inverse);
  expectClose(of(0.5, false), golden.weight_sqrt_inverse);
  expectClose(of(0.5, true), golden.weight_lds_sqrt);
});

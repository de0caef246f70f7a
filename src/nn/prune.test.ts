import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { normal, randomKey } from "../core/random.ts";
import { gradientScores, keepLargest, keepLargestPerRow, randomScores, wandaScores } from "./prune.ts";

const weights = Float64Array.from({ length: 400 }, (_, i) => normal(randomKey(1, "weights"), i));
const kept = (mask: Uint8Array) => mask.reduce((sum, one) => sum + one, 0);

describe("pruning masks", () => {
  it("keep the exact share, and masks are nested over doses", () => {
    for (const scores of [weights.map(Math.abs), randomScores(400, 3, "w")]) {
      let before = keepLargest(scores, 0);
      expect(kept(before)).toBe(400);
      for (const sparsity of [0.1, 0.35, 0.5, 0.8, 1]) {
        const mask = keepLargest(scores, sparsity);
        expect(kept(mask)).toBe(400 - Math.round(400 * sparsity));
        expect(mask.every((one, i) => one <= before[i]!)).toBe(true);
        before = mask;
      }
    }
  });

  it("keep the share in every row, of equal scores the later", () => {
    const mask = keepLargestPerRow(Float64Array.of(1, 1, 1, 1, 4, 3, 2, 1), 4, 0.5);
    expect([...mask]).toEqual([0, 0, 1, 1, 1, 1, 0, 0]);
  });

  interface Golden {
    readonly W: number[][];
    readonly inputs: number[][];
    readonly grad: number[][];
    readonly sparsity: number;
    readonly keep_magnitude_tensor: number[][];
    readonly wanda_norm: number[];
    readonly keep_wanda_row: number[][];
    readonly keep_gradient_row: number[][];
  }
  itMatchesGolden<Golden>("prune", "masks by magnitude, Wanda and gradient", (golden) => {
    const [w, width] = [golden.W.flat(), golden.W[0]!.length];
    const masked = (mask: Uint8Array) => golden.W.map((_, r) => [...mask.subarray(r * width, (r + 1) * width)]);
    const { sparsity } = golden;
    expect(masked(keepLargest(w.map(Math.abs), sparsity))).toEqual(golden.keep_magnitude_tensor);
    expect(masked(keepLargestPerRow(wandaScores(w, golden.wanda_norm), width, sparsity))).toEqual(
      golden.keep_wanda_row,
    );
    const byGradient = keepLargestPerRow(gradientScores(w, golden.grad.flat()), width, sparsity);
    expect(masked(byGradient)).toEqual(golden.keep_gradient_row);
  });
});

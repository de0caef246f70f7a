import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { normal, randomKey, uniform } from "../core/random.ts";
import { pgdStep } from "./pgd.ts";

/** −log σ(y w·x) of a linear model, and its gradient by x. */
function linearLoss(w: readonly number[], x: ArrayLike<number>, y: number) {
  const margin = y * w.reduce((sum, value, i) => sum + value * x[i]!, 0);
  const share = 1 / (1 + Math.exp(margin));
  return { loss: Math.log1p(Math.exp(-margin)), gradient: Float32Array.from(w, (value) => -y * value * share) };
}

const sumOf = (x: Float32Array, change: Float32Array) => x.map((value, i) => value + change[i]!);

describe("projected gradient steps", () => {
  it("stay within ε and the range, leave everything at ε 0, and never help a linear model", () => {
    for (let draw = 0; draw < 50; draw++) {
      const key = randomKey(draw, "pgd");
      const w = Array.from({ length: 6 }, (_, i) => normal(key, i));
      const x = Float32Array.from({ length: 6 }, (_, i) => uniform(key, 20 + i));
      const y = draw % 2 === 0 ? 1 : -1;
      for (const epsilon of [0, 0.03, 0.3]) {
        let change = new Float32Array(6);
        for (let step = 0; step < 4; step++) {
          const { gradient } = linearLoss(w, sumOf(x, change), y);
          change = pgdStep(x, change, gradient, { epsilon, alpha: 0.1, steps: 4 }) as Float32Array<ArrayBuffer>;
        }
        const moved = sumOf(x, change);
        for (const value of change) expect(Math.abs(value)).toBeLessThanOrEqual(Math.fround(epsilon));
        for (const value of moved) expect(value >= -1e-7 && value <= 1 + 1e-7).toBe(true);
        if (epsilon === 0) expect([...change].every((value) => value === 0)).toBe(true);
        expect(linearLoss(w, moved, y).loss).toBeGreaterThanOrEqual(linearLoss(w, x, y).loss - 1e-7);
      }
    }
  });

  interface Golden {
    readonly w: number[];
    readonly x: number[];
    readonly y: number;
    readonly eps: number;
    readonly alpha: number;
    readonly loss_clean: number;
    readonly gradient: number[];
    readonly fgsm: number[];
    readonly pgd: number[][];
    readonly loss_fgsm: number;
  }
  itMatchesGolden<Golden>("adversarial", "steps, projection and losses", (golden) => {
    const clean = linearLoss(golden.w, golden.x, golden.y);
    expect(clean.loss).toBeCloseTo(golden.loss_clean, 9);
    for (const [i, value] of golden.gradient.entries()) expect(clean.gradient[i]).toBeCloseTo(value, 7);
    const x = Float32Array.from(golden.x);
    const range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
    const o = { epsilon: golden.eps, alpha: golden.alpha, steps: 3, ...range };
    let change = new Float32Array(3);
    for (const wanted of golden.pgd) {
      const { gradient } = linearLoss(golden.w, sumOf(x, change), golden.y);
      change = pgdStep(x, change, gradient, o) as Float32Array<ArrayBuffer>;
      for (const [i, value] of wanted.entries()) expect(x[i]! + change[i]!).toBeCloseTo(value, 7);
    }
    const fgsm = pgdStep(x, new Float32Array(3), clean.gradient, { ...o, alpha: golden.eps });
    for (const [i, value] of golden.fgsm.entries()) expect(x[i]! + fgsm[i]!).toBeCloseTo(value, 7);
    expect(linearLoss(golden.w, golden.fgsm, golden.y).loss).toBeCloseTo(golden.loss_fgsm, 9);
  });
});

import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { randomKey, uniform } from "../../core/random.ts";
import { type Change, divergenceSums, isBadFlip, isGoodFlip } from "./flips.ts";
import { generalisation } from "./generalisation.ts";

interface Hemorrhage {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly gold: readonly string[];
  readonly delta_accuracy: number;
  readonly flip_rate: number;
  readonly bad_flips: number;
  readonly good_flips: number;
  readonly logp_base: readonly number[];
  readonly logp_variant: readonly number[];
  readonly kl_k1: number;
  readonly kl_k3: number;
}

interface Matrix {
  readonly rows_trained_on_columns_tested_on: readonly (readonly number[])[];
  readonly base: readonly number[];
  readonly relative: readonly (readonly number[])[];
  readonly retention_off_diagonal: readonly number[];
}

function flipShares(changes: readonly Change[]) {
  const share = (of: (change: Change) => boolean) => changes.filter(of).length / changes.length;
  const [bad_flips, good_flips] = [share(isBadFlip), share(isGoodFlip)];
  return { flip_rate: share(({ changed }) => changed), bad_flips, good_flips, delta_accuracy: good_flips - bad_flips };
}

describe("flips and divergence", () => {
  itMatchesGolden<Hemorrhage>("hemorrhage", "flips, k1 and k3", (golden) => {
    const { before, after, gold } = golden;
    const right = (answers: readonly string[], i: number) => (answers[i] === gold[i] ? 1 : 0);
    const found = flipShares(
      gold.map((_, i) => ({ changed: before[i] !== after[i], before: right(before, i), after: right(after, i) })),
    );
    for (const key of ["flip_rate", "bad_flips", "good_flips", "delta_accuracy"] as const) {
      expect(found[key]).toBeCloseTo(golden[key], 9);
    }
    const { k1, k3, tokens } = divergenceSums(golden.logp_base, golden.logp_variant);
    expect(k1 / tokens).toBeCloseTo(golden.kl_k1, 9);
    expect(k3 / tokens).toBeCloseTo(golden.kl_k3, 9);
  });

  it("of random answers: the change in accuracy is good less bad flips, and no larger than the flips", () => {
    for (let trial = 0; trial < 50; trial++) {
      const at = (i: number, c: number) => Math.floor(3 * uniform(randomKey(trial, "flip", i), c));
      const answers = Array.from({ length: 40 }, (_, i) => ({ before: at(i, 0), after: at(i, 1), gold: at(i, 2) }));
      const shares = flipShares(
        answers.map(({ before, after, gold }) => ({
          changed: before !== after,
          before: Number(before === gold),
          after: Number(after === gold),
        })),
      );
      const accuracy = (of: "before" | "after") => answers.filter((one) => one[of] === one.gold).length / 40;
      expect(shares.delta_accuracy).toBeCloseTo(accuracy("after") - accuracy("before"), 12);
      expect(shares.flip_rate).toBeGreaterThanOrEqual(Math.abs(shares.delta_accuracy));
    }
  });

  it("of a variant that is the base is nothing, and k3 is never negative", () => {
    const base = [-0.3, -2, -0.01];
    expect(divergenceSums(base, base)).toEqual({ tokens: 3, k1: 0, k3: 0 });
    expect(divergenceSums(base, [-4, -0.1, -1]).k3).toBeGreaterThan(0);
    expect(flipShares(base.map(() => ({ changed: false, before: 1, after: 1 })))).toEqual({
      ...{ flip_rate: 0, bad_flips: 0, good_flips: 0, delta_accuracy: 0 },
    });
  });
});

describe("generalisation", () => {
  itMatchesGolden<Matrix>("matrix", "relative scores and retention", (golden) => {
    const scores = golden.rows_trained_on_columns_tested_on;
    const { relative, retention } = generalisation(scores, golden.base, [0, 1, 2]);
    for (const [i, row] of golden.relative.entries()) {
      for (const [j, value] of row.entries()) expect(relative[i]![j]).toBeCloseTo(value, 9);
    }
    for (const [i, value] of golden.retention_off_diagonal.entries()) expect(retention[i]).toBeCloseTo(value, 9);
  });

  it("of a model that nothing changed is 0 everywhere, with all retained", () => {
    const base = [0.2, 0.5, 0.9];
    const found = generalisation([base, base], base, [1, null]);
    expect(found.relative.flat().every((value) => value === 0)).toBe(true);
    expect(found.retention).toEqual([1, 1]);
    expect(generalisation([[0.4]], [0.2], [0]).retention).toEqual([Number.NaN]);
  });
});

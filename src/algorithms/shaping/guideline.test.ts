/** Guideline-based advantages against the golden, and what they keep. */
import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { randomKey, uniform } from "../../core/random.ts";
import { rolloutSettings } from "../../train/settings.ts";
import type { ScoredGroup } from "../algorithm.ts";
import { advantageEstimators } from "../index.ts";
import { guideline, withinVariants } from "./guideline.ts";

type Lists = readonly (readonly number[])[];

/** A question's completions, a list for each of its variants. */
function question(reward: Lists, adherence: Lists): ScoredGroup {
  const all = reward.flat();
  return {
    reward: all,
    rewards: { accuracy: all, checklist: adherence.flat() },
    lengths: all.map(() => 3),
    variants: reward.flatMap((own, i) => own.map(() => `way ${i}`)),
  };
}

function shape(of: ScoredGroup, gamma: number) {
  const settings = rolloutSettings("grpo", { shaping: "guideline", guideline_gamma: gamma });
  const plain = advantageEstimators.group_relative.advantages([of], settings, { accuracy: 1 });
  return { plain: plain[0]!, shaped: guideline.shape([of], plain, settings, {}).advantages[0] as readonly number[] };
}

itMatchesGolden<
  Readonly<Record<"reward" | "adherence" | "outcome" | "guideline" | "advantage", Lists>> & { gamma: number }
>("gba", "outcome over the question, adherence within its variants", (golden) => {
  const of = question(golden.reward, golden.adherence);
  const { plain, shaped } = shape(of, golden.gamma);
  const parts = withinVariants(of.rewards["checklist"]!, of.variants!);
  for (const [i, value] of golden.advantage.flat().entries()) {
    expect(plain[i]).toBeCloseTo(golden.outcome.flat()[i]!, 9);
    expect(parts[i]).toBeCloseTo(golden.guideline.flat()[i]!, 9);
    expect(shaped[i]).toBeCloseTo(value, 9);
  }
});

describe("guideline", () => {
  const random = (seed: number): Lists =>
    Array.from({ length: 4 }, (_, v) => Array.from({ length: 3 }, (_, i) => uniform(randomKey(seed, "gba", v), i)));

  test("one way and gamma 0 is the estimator alone", () => {
    const { plain, shaped } = shape(question([[1, 0, 0, 1]], [[0.2, 0.4, 0.9, 0.1]]), 0);
    expect(shaped).toEqual(plain);
  });

  test("the guideline's part adds up to 0 in every way of reasoning", () => {
    for (let seed = 0; seed < 30; seed++) {
      const of = question(random(seed), random(seed + 100));
      const { plain, shaped } = shape(of, 0.5);
      for (const name of new Set(of.variants)) {
        const sum = shaped.reduce((total, value, i) => total + (of.variants![i] === name ? value - plain[i]! : 0), 0);
        expect(sum).toBeCloseTo(0, 9);
      }
    }
  });

  test("nulls count in no mean and get nothing", () => {
    expect(withinVariants([0.5, null, 1, null], ["a", "a", "a", "b"])).toEqual([
      expect.closeTo(-Math.SQRT1_2, 2),
      0,
      expect.closeTo(Math.SQRT1_2, 2),
      0,
    ]);
  });
});

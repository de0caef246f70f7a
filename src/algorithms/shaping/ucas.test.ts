/** UCAS against the goldens, and what it keeps whatever the tokens say. */
import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { normal, permutation, randomKey, uniform } from "../../core/random.ts";
import { rolloutSettings } from "../../train/settings.ts";
import type { GroupRewards, ScoredGroup } from "../algorithm.ts";
import { certaintyScores, shapeTokens, sharesOfRange, ucas } from "./ucas.ts";

type Lists = readonly (readonly number[])[];

function group(reward: GroupRewards, certainty: Lists, logit: Lists): ScoredGroup {
  return {
    reward,
    rewards: { accuracy: reward },
    lengths: certainty.map((own) => own.length),
    tokens: certainty.map((own, i) => ({
      stats: { self_certainty: Float32Array.from(own), logit: Float32Array.from(logit[i]!) },
      rationale: () => [0, own.length] as const,
      steps: () => [],
    })),
  };
}

interface Golden {
  readonly lengths: readonly number[];
  readonly rewards: readonly number[];
  readonly certainty: Lists;
  readonly logit: Lists;
  readonly advantage: readonly number[];
  readonly z_sum: readonly number[];
  readonly shaped_sum: Lists;
  readonly z_mean: readonly number[];
  readonly shaped_mean: Lists;
}

itMatchesGolden<Golden>("ucas", "certainty, scores and shaped advantages, by mean and by sum", (golden) => {
  const { lengths, rewards, advantage } = golden;
  const cut = (rows: Lists) => rows.map((row, i) => row.slice(0, lengths[i]));
  const of = exactly(group(rewards, cut(golden.certainty), cut(golden.logit)), cut(golden.certainty));
  const shares = sharesOfRange(cut(golden.logit));
  for (const [by, z, shaped] of [
    ["sum", golden.z_sum, golden.shaped_sum],
    ["mean", golden.z_mean, golden.shaped_mean],
  ] as const) {
    const found = certaintyScores(of, by);
    for (const [i, value] of found.entries()) {
      expect(value, `z ${by}`).toBeCloseTo(z[i]!, 9);
      for (const [t, own] of shapeTokens(advantage[i]!, z[i]!, shares[i]!).entries()) {
        expect(own, `${by} ${i} ${t}`).toBeCloseTo(shaped[i]![t]!, 9);
      }
    }
  }
});

/** The same with statistics in float64, as the goldens have them. */
function exactly(of: ScoredGroup, certainty: Lists): ScoredGroup {
  const tokens = of.tokens!.map((own, i) => ({
    ...own,
    stats: { ...own.stats, self_certainty: Float64Array.from(certainty[i]!) as unknown as Float32Array },
  }));
  return { ...of, tokens };
}

itMatchesGolden<{ readonly mean_corr_of_summed_certainty_with_length: number }>(
  "ucas_length",
  "summed certainty is almost the length, the mean is not",
  (golden) => {
    const correlations = (by: "mean" | "sum") =>
      Array.from({ length: 40 }, (_, seed) => {
        const { reward, certainty, logit } = random(seed, 8);
        const own = certaintyScores(group(reward, certainty, logit), by);
        return correlation(
          own,
          certainty.map((list) => list.length),
        );
      });
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(golden.mean_corr_of_summed_certainty_with_length).toBeGreaterThan(0.99);
    expect(mean(correlations("sum"))).toBeGreaterThan(0.98);
    expect(Math.abs(mean(correlations("mean")))).toBeLessThan(0.3);
  },
);

/** Completions of 5 to 60 tokens, each about as sure as the others. */
function random(seed: number, size: number) {
  const key = randomKey(seed, "ucas");
  const lengths = Array.from({ length: size }, (_, i) => 5 + Math.floor(55 * uniform(key, i)));
  const draw = (name: string, around: number) =>
    lengths.map((length, i) => {
      const own = randomKey(seed, name, i);
      return Array.from({ length }, (_, t) => around + normal(own, t));
    });
  return {
    reward: lengths.map((_, i) => Number(uniform(key, 100 + i) > 0.5)),
    certainty: draw("certainty", 9),
    logit: draw("logit", 12),
  };
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((x, y) => x + y, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (f: (i: number) => number) => a.reduce((total, _, i) => total + f(i), 0);
  const [aa, bb] = [sum((i) => (a[i]! - ma) ** 2), sum((i) => (b[i]! - mb) ** 2)];
  return sum((i) => (a[i]! - ma) * (b[i]! - mb)) / Math.sqrt(aa * bb);
}

describe("ucas", () => {
  const settings = rolloutSettings("grpo", { shaping: "ucas" });
  const shape = (of: ScoredGroup, advantages: readonly number[]) =>
    ucas.shape([of], [advantages], settings, {}).advantages[0] as readonly Float32Array[];

  test("the sign of a completion's advantage never flips, and 0 stays 0", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { reward, certainty, logit } = random(seed, 6);
      const advantages = reward.map((r, i) => (i === 0 ? 0 : r === 1 ? 0.02 + i / 10 : -0.02 - i / 10));
      for (const [i, values] of shape(group(reward, certainty, logit), advantages).entries()) {
        for (const value of values) expect(Math.sign(value) * Math.sign(advantages[i]!)).toBeGreaterThanOrEqual(0);
        if (advantages[i] === 0) expect(values.every((value) => value === 0)).toBe(true);
      }
    }
  });

  test("equal certainty and equal logits leave a completion's advantage, less half the penalty", () => {
    const same = [
      [8, 8],
      [8, 8],
    ];
    const [right, wrong] = shape(group([1, 0], same, same), [1, -1]);
    expect([...right!, ...wrong!]).toEqual([0.975, 0.975, -1.025, -1.025].map((value) => expect.closeTo(value, 6)));
  });

  test("follows its completions through any order, and completions without a reward stand aside", () => {
    const { reward, certainty, logit } = random(3, 6);
    const advantages = reward.map((r, i) => r - 0.5 + i / 100);
    const order = [...permutation(randomKey(4), 6)];
    const pick = <T>(list: readonly T[]) => order.map((i) => list[i]!);
    const found = shape(group(reward, certainty, logit), advantages);
    const moved = shape(group(pick(reward), pick(certainty), pick(logit)), pick(advantages));
    for (const [to, from] of order.entries()) {
      for (const [t, value] of moved[to]!.entries()) expect(value).toBeCloseTo(found[from]![t]!, 6);
    }
    const scores = certaintyScores(group([...reward, null], [...certainty, [99]], [...logit, [0]]), "mean");
    expect(scores).toEqual([...certaintyScores(group(reward, certainty, logit), "mean"), 0]);
  });
});

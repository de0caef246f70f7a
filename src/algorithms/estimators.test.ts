/** What every advantage estimator keeps, and each one's numbers by hand. */
import { describe, expect, test } from "vitest";
import { permutation, randomKey, uniform } from "../core/random.ts";
import { rolloutSettings } from "../train/settings.ts";
import { rewardScalings } from "./advantages.ts";
import type { GroupRewards, ScoredGroup } from "./algorithm.ts";
import { type AdvantageName, advantageEstimators } from "./index.ts";

/** A group with one reward of weight 1. */
function group(reward: GroupRewards, lengths: readonly number[] = reward.map((_, i) => 1 + i)): ScoredGroup {
  return { reward, rewards: { reward }, lengths };
}

const estimate = (name: AdvantageName, groups: readonly ScoredGroup[], scaleRewards = rewardScalings[2]) =>
  advantageEstimators[name].advantages(groups, rolloutSettings("grpo", { scale_rewards: scaleRewards }), { reward: 1 });

describe.each(Object.keys(advantageEstimators) as AdvantageName[])("%s", (name) => {
  const random = (seed: number) => group(Array.from({ length: 6 }, (_, i) => uniform(randomKey(seed), i)));

  test("null rewards get 0 and count in no statistic", () => {
    const withNull = [group([1, null, 0, 0.5, null], [3, 50, 2, 4, 60]), group([null, null]), group([null, 2])];
    const without = [group([1, 0, 0.5], [3, 2, 4]), group([2])];
    const [first, ...rest] = estimate(name, withNull);
    const [expected, single] = estimate(name, without);
    expect(first).toEqual([expected![0], 0, expected![1], expected![2], 0]);
    expect(rest).toEqual([
      [0, 0],
      [0, single![0]],
    ]);
  });

  test("where all rewards are equal, nothing is taught, however their mean is rounded", () => {
    const found = estimate(name, [group([0.1, 0.1, 0.1], [1, 7, 4]), group([0.1, null, 0.1]), group([])]);
    for (const advantage of found.flat()) expect(Math.abs(advantage)).toBe(0);
  });

  test("is finite, ordered as the rewards of a group are, and indifferent to a shift of them", () => {
    const groups = [random(1), random(2)];
    const shifted = groups.map(({ reward, lengths }) =>
      group(
        reward.map((r) => r! + 8),
        lengths,
      ),
    );
    const found = estimate(name, groups);
    for (const [g, own] of found.entries()) {
      for (const [i, a] of own.entries()) {
        expect(Number.isFinite(a)).toBe(true);
        expect(estimate(name, shifted)[g]![i]).toBeCloseTo(a, 9);
        for (const [j, b] of own.entries()) {
          if (groups[g]!.reward[i]! < groups[g]!.reward[j]!) expect(a).toBeLessThan(b);
        }
      }
    }
  });

  test("follows its completions through any order", () => {
    const { reward, lengths } = random(3);
    const order = [...permutation(randomKey(4), reward.length)];
    const moved = group(
      order.map((i) => reward[i]!),
      order.map((i) => lengths[i]!),
    );
    const [[plain, other], [again]] = [
      estimate(name, [group(reward, lengths), random(5)]),
      estimate(name, [moved, random(5)]),
    ];
    expect(other!.length).toBe(6);
    for (const [at, i] of order.entries()) expect(again![at]).toBeCloseTo(plain![i]!, 12);
  });
});

test("rloo is r − mean of the others", () => {
  const [found] = estimate("rloo", [group([1, 0, 0, 1, 0.5])]);
  for (const [i, r] of [1, 0, 0, 1, 0.5].entries()) expect(found![i]).toBeCloseTo(r - (2.5 - r) / 4, 12);
});

test("opo's baseline weighs rewards by length", () => {
  // (10·1 + 30·0 + 20·0.5) / 60 = 1/3.
  const [found] = estimate("opo", [group([1, 0, 0.5], [10, 30, 20])]);
  for (const [i, expected] of [2 / 3, -1 / 3, 1 / 6].entries()) expect(found![i]).toBeCloseTo(expected, 12);
});

test("multi_objective gives a rare small reward the voice of a large one", () => {
  const rewards = { accuracy: [1, 1, 0, 0], format: [0.01, 0, 0.01, 0] };
  const weights = { accuracy: 1, format: 1 };
  const sum = rewards.accuracy.map((a, i) => a + rewards.format[i]!);
  const [found] = advantageEstimators.multi_objective.advantages(
    [{ reward: sum, rewards, lengths: [1, 1, 1, 1] }],
    {},
    weights,
  );
  // Each reward alone is ±0.5/(0.57735 + 1e-4) and ±0.005/(0.0057735 + 1e-4); the sum is then a z-score of four.
  const [a, f] = [0.5 / (Math.sqrt(1 / 3) + 1e-4), 0.005 / (0.01 * Math.sqrt(1 / 3) + 1e-4)];
  const deviation = Math.sqrt((2 * (a + f) ** 2 + 2 * (a - f) ** 2) / 3) + 1e-4;
  for (const [i, expected] of [a + f, a - f, f - a, -a - f].entries()) {
    expect(found![i]).toBeCloseTo(expected / deviation, 12);
  }
  expect(found![1]! / found![0]!).toBeLessThan(0.02);
});

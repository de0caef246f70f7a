import { describe, expect, test } from "vitest";
import { groupRelativeAdvantages, hasZeroSpread, rewardScalings, standardDeviation } from "./advantages.ts";

/** r of ALGORITHMS.md, section 7. */
const golden = [1, 0, 0, 1, 0, 0, 0, 0];

describe("groupRelativeAdvantages", () => {
  test("the golden vector", () => {
    expect(standardDeviation(golden)).toBeCloseTo(Math.sqrt(1.5 / 7), 12); // 0.4629100
    const [group] = groupRelativeAdvantages([golden], { scaleRewards: "group" });
    const [none] = groupRelativeAdvantages([golden], { scaleRewards: "none" });
    for (const [i, reward] of golden.entries()) {
      expect(group![i]).toBeCloseTo(reward === 1 ? 1.619835 : -0.539945, 6);
      expect(none![i]).toBe(reward === 1 ? 0.75 : -0.25);
    }
  });

  test("batch divides every group by the deviation of all rewards together", () => {
    const rewards = [
      [1, 3],
      [2, 2, 5],
    ];
    // Mean 2.6, squared deviations 2.56 + 0.16 + 0.36 + 0.36 + 5.76 = 9.2, over 4.
    const deviation = Math.sqrt(9.2 / 4);
    const found = groupRelativeAdvantages(rewards, { scaleRewards: "batch" });
    const expected = [
      [-1, 1],
      [-1, -1, 2],
    ];
    for (const [g, group] of expected.entries()) {
      for (const [i, difference] of group.entries()) {
        expect(found[g]![i]).toBeCloseTo(difference / (deviation + 1e-4), 12);
      }
    }
  });

  test("null rewards get 0 and count in no statistic", () => {
    for (const scaleRewards of rewardScalings) {
      const withNull = groupRelativeAdvantages([[1, null, 0, null], [0.5, null], [null]], { scaleRewards });
      const without = groupRelativeAdvantages([[1, 0], [0.5]], { scaleRewards });
      expect(withNull).toEqual([[without[0]![0], 0, without[0]![1], 0], [0, 0], [0]]);
    }
    expect(groupRelativeAdvantages([[null, null]], { scaleRewards: "group" })).toEqual([[0, 0]]);
  });

  test("equal rewards teach exactly nothing, also where their mean is rounded", () => {
    // 0.1 + 0.1 + 0.1 over 3 is not 0.1 in float64.
    for (const scaleRewards of rewardScalings) {
      const found = groupRelativeAdvantages([[0.1, 0.1, 0.1], [2, null, 2], [7]], { scaleRewards });
      for (const advantage of found.flat()) expect(Math.abs(advantage)).toBe(0);
    }
  });

  test("a group's advantages sum to 0 and do not depend on where its rewards lie", () => {
    const rewards = [[0.25, 1.5, -2, 0.5]];
    const shifted = rewards.map((group) => group.map((reward) => reward + 8));
    for (const scaleRewards of rewardScalings) {
      const found = groupRelativeAdvantages(rewards, { scaleRewards });
      expect(found[0]!.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 12);
      for (const [i, value] of groupRelativeAdvantages(shifted, { scaleRewards })[0]!.entries()) {
        expect(value).toBeCloseTo(found[0]![i]!, 10);
      }
    }
  });

  test("other groups matter only to batch scaling", () => {
    const alone = (scaleRewards: "group" | "none" | "batch") =>
      groupRelativeAdvantages([[1, 0, 4]], { scaleRewards })[0];
    const beside = (scaleRewards: "group" | "none" | "batch") =>
      groupRelativeAdvantages([[9, -3], [1, 0, 4], []], { scaleRewards })[1];
    expect(beside("group")).toEqual(alone("group"));
    expect(beside("none")).toEqual(alone("none"));
    expect(beside("batch")).not.toEqual(alone("batch"));
  });
});

test("standardDeviation is unbiased, and 0 for fewer than two values", () => {
  expect(standardDeviation([2, 4])).toBeCloseTo(Math.SQRT2, 12);
  expect(standardDeviation([3])).toBe(0);
  expect(standardDeviation([])).toBe(0);
});

test("hasZeroSpread looks at known rewards only", () => {
  expect(hasZeroSpread([1, null, 1])).toBe(true);
  expect(hasZeroSpread([null, null])).toBe(true);
  expect(hasZeroSpread([1, null, 0])).toBe(false);
});

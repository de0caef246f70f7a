/** Which completions are trained on, against every subset (test/golden/selection.json) and by hand. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { normal, permutation, randomKey } from "../core/random.ts";
import { groupRelativeAdvantages } from "./advantages.ts";
import type { GroupRewards, ScoredGroup } from "./algorithm.ts";
import { maxVarianceSubset, type SelectionOptions, selectCompletions } from "./selection.ts";

interface Golden {
  readonly rewards: readonly number[];
  readonly count: number;
  readonly variance: number;
  readonly max_variance: readonly { readonly rewards: readonly number[]; readonly advantages: readonly number[] }[];
  readonly max_advantage: readonly number[];
}
const path = fileURLToPath(new URL("../../test/golden/selection.json", import.meta.url));
const cases = (JSON.parse(readFileSync(path, "utf8")) as { readonly cases: readonly Golden[] }).cases;

const pods: SelectionOptions = { train_completions: 2, train_selection: "max_variance", train_advantages: null };
const cppo: SelectionOptions = { ...pods, train_selection: "max_advantage" };

function select(
  rewards: readonly GroupRewards[],
  o: SelectionOptions,
  excluded = rewards.map((own) => own.map(() => false)),
) {
  const scored = rewards.map((reward): ScoredGroup => ({ reward, rewards: { reward }, lengths: reward.map(() => 1) }));
  const estimate = (groups: readonly ScoredGroup[]) =>
    groupRelativeAdvantages(
      groups.map(({ reward }) => reward),
      { scaleRewards: "group" },
    );
  const { advantages, chosen } = selectCompletions(scored, excluded, o, estimate);
  return { advantages: advantages as readonly (readonly number[])[], chosen };
}

const of = <T>(values: readonly T[], chosen: readonly boolean[]) => values.filter((_, i) => chosen[i]);
const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const variance = (values: readonly number[]) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
};

test("max_variance is the most variable of all subsets, its advantages those of a group of its own", () => {
  for (const { rewards, count, ...golden } of cases) {
    const { chosen, advantages } = select([rewards], { ...pods, train_completions: count });
    const own = of(rewards, chosen![0]!);
    expect(own.length).toBe(count);
    expect(variance(own)).toBeCloseTo(golden.variance, 9);
    const match = golden.max_variance.find((best) => String(best.rewards) === String(ascending(own)));
    expect(match, `${own} is none of the best of ${rewards}`).toBeDefined();
    for (const [i, wanted] of match!.advantages.entries()) {
      expect(ascending(of(advantages[0]!, chosen![0]!))[i]).toBeCloseTo(wanted, 6);
    }
    for (const [i, value] of advantages[0]!.entries()) if (!chosen![0]![i]) expect(value).toBe(0);
  }
});

test("max_advantage has the largest sum of absolute advantages of all subsets, and keeps them", () => {
  for (const { rewards, count, max_advantage } of cases) {
    const { chosen, advantages } = select([rewards], { ...cppo, train_completions: count });
    const own = ascending(of(advantages[0]!, chosen![0]!).map(Math.abs));
    expect(own.length).toBe(count);
    for (const [i, wanted] of max_advantage.entries()) expect(own[i]).toBeCloseTo(wanted, 6);
    expect(advantages[0]).toEqual(groupRelativeAdvantages([rewards], { scaleRewards: "group" })[0]);
  }
});

describe.each([pods, cppo])("$train_selection", (o) => {
  const rewards = [1, 0, 0.2, 0.9, 0.4, 0];

  test("chooses among those that have a reward and are not excluded, or all where they are fewer", () => {
    const withNull = [null, ...rewards, null];
    const excluded = withNull.map((_, i) => i === 1 || i === 2);
    const { chosen } = select([withNull], o, [excluded]);
    expect(of(withNull, chosen![0]!)).toEqual([0.9, 0]);
    const few = select([[null, 1, null, 0]], { ...o, train_completions: 3 });
    expect(few.chosen).toEqual([[false, true, false, true]]);
  });

  test("all of them is none left out", () => {
    const plain = select([rewards], { ...o, train_completions: null });
    expect(plain.chosen).toBeNull();
    const whole = select([rewards], { ...o, train_completions: rewards.length });
    expect(whole.advantages).toEqual(plain.advantages);
    expect(whole.chosen).toEqual([rewards.map(() => true)]);
  });

  test("follows its completions through any order, and leaves other groups be", () => {
    const group = Array.from({ length: 9 }, (_, i) => normal(randomKey(2), i));
    const order = [...permutation(randomKey(4), group.length)];
    const [plain, moved] = [select([group, rewards], o), select([order.map((i) => group[i]!), rewards], o)];
    expect(moved.chosen![0]).toEqual(order.map((i) => plain.chosen![0]![i]));
    expect(moved.chosen![1]).toEqual(plain.chosen![1]);
  });

  test("a group without spread stays without", () => {
    const { advantages, chosen } = select([[0.1, 0.1, 0.1, 0.1]], o);
    expect(advantages[0]!.map(Math.abs)).toEqual([0, 0, 0, 0]);
    expect(chosen![0]!.filter(Boolean)).toHaveLength(2);
  });
});

test("whose rewards advantages are relative to can be said", () => {
  const rewards = [1, 0, 0.5, 0.5];
  const own = (o: SelectionOptions) => select([rewards], o).advantages[0]!;
  const all = groupRelativeAdvantages([rewards], { scaleRewards: "group" })[0]!;
  const ofTwo = groupRelativeAdvantages([[1, 0]], { scaleRewards: "group" })[0]!;
  expect(own({ ...pods, train_advantages: "all" })).toEqual(all);
  expect(own(pods)).toEqual([...ofTwo, 0, 0]);
  expect(own({ ...cppo, train_advantages: "chosen" })).toEqual([...ofTwo, 0, 0]);
  expect(own(cppo)).toEqual(all);
});

test("of subsets alike the one with more of the highest", () => {
  expect(ascending(maxVarianceSubset([0, 1, 0, 1, 0, 1], 3).map((i) => i % 2))).toEqual([0, 1, 1]);
  expect(maxVarianceSubset([1, 1, 1, 0, 0, 0], 2)).toEqual([0, 5]);
});

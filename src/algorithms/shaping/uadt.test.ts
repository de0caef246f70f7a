/** UADT against the goldens, and what it keeps whatever the lengths are. */
import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { permutation, randomKey, uniform } from "../../core/random.ts";
import { rolloutSettings } from "../../train/settings.ts";
import type { ScoredGroup } from "../algorithm.ts";
import { depthScores, pullOf, uadt } from "./uadt.ts";

interface Golden {
  readonly advantage: readonly number[];
  readonly correct: readonly boolean[];
  readonly entropy: readonly number[];
  readonly length: readonly number[];
  readonly mu: number;
  readonly sd: number;
  readonly kappa: number;
  readonly lam: number;
  readonly g: number;
  readonly depth: readonly number[];
  readonly shaped: readonly number[];
}

/** Reasoning of these lengths, each with its entropy at every token. */
function group({ correct, entropy, length }: Pick<Golden, "correct" | "entropy" | "length">): ScoredGroup {
  const reward = correct.map(Number);
  return {
    reward,
    rewards: { accuracy: reward },
    lengths: length,
    tokens: length.map((own, i) => ({
      // Two tokens of prompt's form around the reasoning, which do not count.
      stats: { entropy: Float32Array.of(99, ...new Array<number>(own).fill(entropy[i]!), 99) },
      rationale: () => [own === 0 ? 0 : 1, own === 0 ? 0 : 1 + own] as const,
      steps: () => [],
    })),
  };
}

const stateOf = (mean: number, deviation: number) => ({
  "shaping/uncertainty_mean": mean,
  "shaping/uncertainty_std": deviation,
});
const settings = rolloutSettings("grpo", { shaping: "uadt" });
const shape = (
  of: ScoredGroup,
  advantages: readonly number[],
  state: object = stateOf(0.8, 0.2),
  change: object = {},
) => uadt.shape([of], [advantages], { ...settings, ...change }, state as Record<string, number>);

for (const name of ["uadt_uncertain", "uadt_certain", "uadt_certain_all_correct"]) {
  itMatchesGolden<Golden>(name, "gate, depth and shaped advantages", (golden) => {
    const uncertainty = golden.entropy.reduce((a, b) => a + b, 0) / golden.entropy.length;
    const pull = pullOf(uncertainty, { mean: golden.mu, deviation: golden.sd }, golden.kappa);
    expect((pull + 1) / 2).toBeCloseTo(golden.g, 9);
    for (const [i, depth] of depthScores(golden.length).entries()) expect(depth).toBeCloseTo(golden.depth[i]!, 9);
    const { advantages } = shape(group(golden), golden.advantage, stateOf(golden.mu, golden.sd));
    for (const [i, value] of advantages[0]!.entries()) expect(value).toBeCloseTo(golden.shaped[i]!, 6);
  });
}

describe("uadt", () => {
  const random = (seed: number) => {
    const key = randomKey(seed, "uadt");
    const of = <T>(f: (i: number) => T) => Array.from({ length: 6 }, (_, i) => f(i));
    return {
      correct: of((i) => uniform(key, i) > 0.4),
      entropy: of((i) => 0.2 + uniform(key, 10 + i)),
      length: of((i) => 3 + Math.floor(20 * uniform(key, 20 + i))),
      advantage: of((i) => (uniform(key, i) > 0.4 ? 1 : -1) * (0.1 + uniform(key, 30 + i))),
    };
  };

  test("no weight, equal lengths and the mean question change nothing", () => {
    const { advantage, ...made } = random(1);
    expect(shape(group(made), advantage, stateOf(0.1, 0.1), { uadt_lambda: 0 }).advantages[0]).toEqual(advantage);
    const equal = { ...made, length: made.length.map(() => 7) };
    expect(shape(group(equal), advantage).advantages[0]).toEqual(advantage);
    expect(shape(group(made), advantage, {}).advantages[0]).toEqual(advantage); // the first question is the mean one
  });

  test("only right answers move, no sign flips, and scaling all lengths changes nothing", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { advantage, ...made } = random(seed);
      const found = shape(group(made), advantage).advantages[0] as readonly number[];
      for (const [i, value] of found.entries()) {
        if (!made.correct[i]) expect(value).toBe(advantage[i]);
        expect(Math.sign(value) * Math.sign(advantage[i]!)).toBeGreaterThanOrEqual(0);
      }
      const thrice = shape(group({ ...made, length: made.length.map((own) => 3 * own) }), advantage);
      for (const [i, value] of (thrice.advantages[0] as readonly number[]).entries()) {
        expect(value).toBeCloseTo(found[i]!, 5);
      }
    }
  });

  test("follows its completions through any order, and its state any order of questions", () => {
    const { advantage, ...made } = random(5);
    const order = [...permutation(randomKey(6), 6)];
    const pick = <T>(list: readonly T[]) => order.map((i) => list[i]!);
    const moved = { correct: pick(made.correct), entropy: pick(made.entropy), length: pick(made.length) };
    const found = shape(group(made), advantage).advantages[0] as readonly number[];
    const after = shape(group(moved), pick(advantage)).advantages[0] as readonly number[];
    for (const [to, from] of order.entries()) expect(after[to]).toBeCloseTo(found[from]!, 9);
    const [a, b] = [group(made), group(random(7))];
    const state = (groups: readonly ScoredGroup[]) =>
      uadt.shape(
        groups,
        groups.map(() => advantage),
        settings,
        stateOf(0.5, 0.1),
      ).metrics!;
    for (const [key, value] of Object.entries(state([a, b]))) expect(state([b, a])[key]).toBeCloseTo(value, 12);
  });

  test("the state is what it reported of the step before: two steps in a row equal one that goes on from its record", () => {
    const { advantage, ...made } = random(8);
    const first = shape(group(made), advantage, {}).metrics!;
    const recorded = JSON.parse(JSON.stringify(first)) as object;
    expect(shape(group(made), advantage, recorded)).toEqual(shape(group(made), advantage, first));
    expect(first["shaping/uncertainty_std"]).toBe(0); // one question so far
    const silent = { ...made, length: made.length.map(() => 0) };
    expect(shape(group(silent), advantage, first).metrics).toEqual(first);
    expect(shape(group(silent), advantage, {}).metrics).toEqual({});
  });
});

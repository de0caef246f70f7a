/** Step advantages against the goldens, and what they promise whatever the steps are. */
import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { permutation, randomKey, uniform } from "../../core/random.ts";
import { rolloutSettings } from "../../train/settings.ts";
import type { ScoredGroup, TokenStep } from "../algorithm.ts";
import { process, stepAdvantages } from "./process.ts";

itMatchesGolden<{
  readonly step_scores: readonly (readonly number[])[];
  readonly step_ends: readonly (readonly number[])[];
  readonly lengths: readonly number[];
  readonly advantage: readonly (readonly number[])[];
}>("process", "step advantages", ({ step_scores, step_ends, lengths, advantage }) => {
  const steps = step_scores.map((scores, i) => scores.map((score, k) => ({ score, end: step_ends[i]![k]! })));
  for (const [i, values] of stepAdvantages(steps, lengths).entries()) {
    for (const [t, value] of values.entries()) expect(value).toBeCloseTo(advantage[i]![t]!, 9);
  }
});

/** Completions of 8 tokens with three steps each. */
function group(scores: readonly (readonly number[])[], reward = scores.map((own) => own.reduce((a, b) => a + b, 0))) {
  const steps = scores.map((own) => own.map((score, k): TokenStep => ({ score, end: 2 + 2 * k })));
  return {
    reward,
    rewards: { checklist: reward },
    lengths: scores.map(() => 8),
    tokens: steps.map((own) => ({ stats: {}, rationale: () => [0, 8] as const, steps: () => own })),
  } satisfies ScoredGroup;
}

const shape = (of: ScoredGroup, advantages: readonly number[], change: object = {}) =>
  process.shape([of], [advantages], { ...rolloutSettings("grpo", { shaping: "process" }), ...change }, {})
    .advantages[0]!;
const random = (seed: number) =>
  Array.from({ length: 5 }, (_, i) => Array.from({ length: 3 }, (_, k) => uniform(randomKey(seed, "steps", i), k)));

describe("process", () => {
  test("equal steps leave the outcome's advantage alone", () => {
    const same = group([
      [0.3, 0.3, 0.3],
      [0.3, 0.3, 0.3],
    ]);
    expect(shape(same, [1, -1])).toEqual([new Float32Array(8).fill(1), new Float32Array(8).fill(-1)]);
  });

  test("a token has what its part and later ones earn, less what parts of the group earn in the mean", () => {
    const [first] = shape(
      group([
        [1, 0, 0],
        [0, 0, 0],
      ]),
      [0, 0],
    ) as Float32Array[];
    // Parts end at tokens 2, 4 and 6; nothing follows token 6.
    expect(first![0]).toBe(first![2]);
    expect(first![2]).toBeGreaterThan(0);
    expect(first![3]).toBeLessThan(0);
    expect(first![7]).toBe(0);
  });

  test("outcome_weight scales the outcome alone, 0 leaves the parts", () => {
    const of = group(random(1));
    const [none, twice] = [0, 2].map((outcome_weight) => shape(of, [1, 2, 3, 4, 5], { outcome_weight }));
    for (const [i, values] of (none as Float32Array[]).entries()) {
      for (const [t, value] of values.entries()) {
        expect((twice![i] as Float32Array)[t]).toBeCloseTo(value + 2 * (i + 1), 5);
      }
    }
  });

  test("scalar is the reward's own advantage, one number for all tokens", () => {
    const of = group([], [1, 0, 1, 0]);
    const expected = [1, -1, 1, -1].map((sign) => expect.closeTo(sign * 0.865876, 5));
    expect(shape({ ...of, lengths: [8, 8, 8, 8] }, [0, 0, 0, 0], { process: "scalar" })).toEqual(expected);
  });

  test("follows its completions through any order", () => {
    const scores = random(2);
    const order = [...permutation(randomKey(3), scores.length)];
    const found = shape(group(scores), [5, 4, 3, 2, 1]);
    const moved = shape(
      group(order.map((i) => scores[i]!)),
      order.map((i) => 5 - i),
    );
    for (const [to, from] of order.entries()) {
      for (const [t, value] of (moved[to] as Float32Array).entries()) {
        expect(value).toBeCloseTo((found[from] as Float32Array)[t]!, 5);
      }
    }
  });

  test("a completion without parts earned nothing at its end; one without tokens or without the reward has none", () => {
    const silent = group([[0.5, 0, 0], []]);
    const [, nothing] = shape(silent, [0, 0]) as Float32Array[];
    expect(new Set(nothing).size).toBe(1);
    expect(nothing![0]).toBeLessThan(0);
    const empty = { ...silent, lengths: [8, 0] };
    expect(shape(empty, [0, 0])[1]).toEqual(new Float32Array(0));
    const absent = { ...silent, rewards: { checklist: [0.5, null] } };
    expect(shape(absent, [0, 0])[1]).toEqual(new Float32Array(8));
  });
});

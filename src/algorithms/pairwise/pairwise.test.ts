import { describe, expect, test } from "vitest";
import * as z from "zod";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { normal, randomKey } from "../../core/random.ts";
import {
  balanceWeights,
  type PairwiseName,
  pairLoss,
  pairwiseAlgorithm,
  pairwiseAlgorithms,
  type RoleScores,
} from "./index.ts";

/** Losses and gradients of pairs that weigh 1 each. */
function evaluate(kind: PairwiseName, scores: RoleScores, options: Readonly<Record<string, unknown>> = {}) {
  const algorithm = pairwiseAlgorithm(kind);
  const defaults = z.object(algorithm.options).parse({});
  const weights = scores.chosen!.map(() => 1);
  return pairLoss(algorithm, scores, weights, { ...defaults, ...options });
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  // Goldens have ten digits.
  for (const [i, value] of expected.entries())
    expect(Math.abs(found[i]! - value)).toBeLessThan(1e-9 * (1 + Math.abs(value)) + 1e-9);
}

type Numbers = readonly number[];
type ByRole = Readonly<Record<string, Numbers>>;

itMatchesGolden<{
  beta: number;
  policy: ByRole;
  reference: ByRole;
  s: ByRole;
  loss: Numbers;
  grad_s: ByRole;
  dpo_only: Numbers;
  at_zero: number;
}>("mdpo", "losses and gradients by the implicit rewards", (golden) => {
  const s = Object.fromEntries(
    Object.entries(golden.policy).map(([role, values]) => {
      return [role, values.map((value, i) => golden.beta * (value - golden.reference[role]![i]!))];
    }),
  ) as RoleScores;
  for (const [role, values] of Object.entries(golden.s)) expectClose(s[role as "chosen"]!, values);
  const { losses, gradients } = evaluate("mdpo", s);
  expectClose(losses, golden.loss);
  for (const [role, values] of Object.entries(golden.grad_s)) expectClose(gradients[role as "chosen"]!, values);
  expectClose(evaluate("dpo", { chosen: s.chosen!, rejected: s.rejected! }).losses, golden.dpo_only);
  const zero = { chosen: [0], rejected: [0], chosen_corrupted: [0] };
  expectClose(evaluate("mdpo", zero).losses, [golden.at_zero]);
});

itMatchesGolden<{
  scores: RoleScores;
  loss_base1_lambda1: Numbers;
  grad: ByRole;
  loss_base0: Numbers;
  loss_lambda_half: Numbers;
}>("rc", "losses and gradients by the scores", (golden) => {
  for (const kind of ["rc_reward_model", "rc_dpo"] as const) {
    const { losses, gradients } = evaluate(kind, golden.scores);
    expectClose(losses, golden.loss_base1_lambda1);
    for (const [role, values] of Object.entries(golden.grad)) expectClose(gradients[role as "chosen"]!, values);
    expectClose(evaluate(kind, golden.scores, { base_weight: 0 }).losses, golden.loss_base0);
    expectClose(evaluate(kind, golden.scores, { satisfied_weight: 0.5 }).losses, golden.loss_lambda_half);
  }
});

itMatchesGolden<{ chosen: Numbers; rejected: Numbers; loss: Numbers; margin_half: Numbers; center_0_01: Numbers }>(
  "bt",
  "the loss, with a margin, and centred",
  ({ chosen, rejected, ...golden }) => {
    const loss = (options = {}) => evaluate("reward_model", { chosen, rejected }, options).losses;
    expectClose(loss(), golden.loss);
    expectClose(loss({ margin: 0.5 }), golden.margin_half);
    expectClose(loss({ center: 0.01 }), golden.center_0_01);
    expectClose(evaluate("dpo", { chosen, rejected }, { margin: 0.5 }).losses, golden.margin_half);
  },
);

const kinds = Object.keys(pairwiseAlgorithms) as PairwiseName[];

/** Numbers for every role of a kind. */
function someScores(kind: PairwiseName, shift = 0, scale = 1): RoleScores {
  const { roles } = pairwiseAlgorithm(kind);
  return Object.fromEntries(
    roles.map((role) => [role, Array.from({ length: 5 }, (_, i) => shift + scale * normal(randomKey(3, role), i))]),
  );
}

describe.each(kinds)("%s", (kind) => {
  const { roles } = pairwiseAlgorithm(kind);

  test("where all rows have the same number, every term is ln 2", () => {
    const terms = { dpo: 1, mdpo: 3, rc_dpo: 3, reward_model: 1, rc_reward_model: 3 }[kind];
    // The anchor term of mdpo looks at the number itself, and policy and reference are equal where it is 0.
    expectClose(evaluate(kind, someScores(kind, 0, 0)).losses, Array(5).fill(terms * Math.LN2));
  });

  test("its gradients are the slopes of the loss, and safe far out", () => {
    const scores = someScores(kind);
    const { gradients } = evaluate(kind, scores);
    for (const role of roles) {
      const at = (by: number) =>
        evaluate(kind, { ...scores, [role]: scores[role]!.with(2, scores[role]![2]! + by) }).loss;
      expect((at(1e-5) - at(-1e-5)) / 2e-5).toBeCloseTo(gradients[role]![2]!, 8);
    }
    for (const sign of [1, -1]) {
      const far = Object.fromEntries(roles.map((role, i) => [role, [sign * 5000 * (i % 2 === 0 ? 1 : -1)]]));
      const { loss, gradients: slopes } = evaluate(kind, far as RoleScores);
      expect([loss, ...Object.values(slopes).flat()].every(Number.isFinite)).toBe(true);
    }
  });

  test("weights multiply losses and gradients of their pair alone, and no pairs are no loss", () => {
    const algorithm = pairwiseAlgorithm(kind);
    const scores = someScores(kind);
    const options = {
      margin: 0,
      center: 0,
      image_weight: 1,
      anchor_weight: 1,
      anchor: 0,
      satisfied_weight: 1,
      base_weight: 1,
    };
    const one = pairLoss(algorithm, scores, [1, 1, 1, 1, 1], options);
    const two = pairLoss(algorithm, scores, [1, 0, 3, 1, 1], options);
    expect(two.loss).toBeCloseTo(one.losses[0]! + 3 * one.losses[2]! + one.losses[3]! + one.losses[4]!, 12);
    for (const role of roles) {
      expect(two.gradients[role]![1]).toBeCloseTo(0, 15);
      expect(two.gradients[role]![2]).toBeCloseTo(3 * one.gradients[role]![2]!, 12);
    }
    const none = Object.fromEntries(roles.map((role) => [role, []])) as RoleScores;
    expect(pairLoss(algorithm, none, [], options)).toEqual({ loss: 0, losses: [], gradients: none });
  });
});

test.each(["dpo", "rc_dpo", "reward_model", "rc_reward_model"] as const)(
  "%s sees differences only: a common shift changes nothing, and its gradients sum to 0",
  (kind) => {
    const found = evaluate(kind, someScores(kind));
    const shifted = evaluate(kind, someScores(kind, 7.5));
    expectClose(shifted.losses, found.losses);
    for (let pair = 0; pair < 5; pair++) {
      const total = Object.values(found.gradients).reduce((sum, values) => sum + values[pair]!, 0);
      expect(Math.abs(total)).toBeLessThan(1e-12);
    }
  },
);

test("balance: longer and shorter winners weigh the same in all, with a mean of 1", () => {
  const pairs = [
    ...Array(8).fill({ chosen: 9, rejected: 4 }),
    ...Array(2).fill({ chosen: 3, rejected: 7 }),
    { chosen: 2, rejected: 2 },
  ];
  const weights = balanceWeights(pairs, "length");
  const total = (from: number, to: number) => weights.slice(from, to).reduce((a, b) => a + b, 0);
  expect(total(0, 8)).toBeCloseTo(total(8, 10), 12);
  expect(total(0, 11)).toBeCloseTo(11, 12);
  expect(weights[10]).toBe(1);
  expect(balanceWeights(pairs, "none")).toEqual(Array(11).fill(1));
  expect(balanceWeights(pairs.slice(0, 8), "length")).toEqual(Array(8).fill(1));
});

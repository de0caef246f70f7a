import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { grad } from "../compiler/grad.ts";
import { interpret } from "../compiler/interpret.ts";
import { logSoftmax, neg, sum } from "../compiler/ops/index.ts";
import { input } from "../compiler/tensor.ts";
import { normal, randomKey } from "../core/random.ts";
import { huberLoss, softTargets, softValue, turnTargets } from "./etpo.ts";

type Rows = readonly (readonly number[])[];

/** Soft values of rows of logits, and the gradient of −Σ V by the policy's logits. */
function evaluate(policy: Rows, reference: Rows, q: Rows, beta: number) {
  const shape = [policy.length, policy[0]!.length];
  const inputs = {
    ...Object.fromEntries(["policy", "reference", "q"].map((name) => [name, input(name, "float32", shape)])),
    beta: input("beta", "float32", []),
  } as Record<"policy" | "reference" | "q" | "beta", ReturnType<typeof input>>;
  const values = softValue(logSoftmax(inputs.policy), logSoftmax(inputs.reference), inputs.q, inputs.beta);
  const [gradient] = grad(neg(sum(values)), [inputs.policy]);
  const feed = (rows: Rows) => ({ dtype: "float64", shape, data: Float64Array.from(rows.flat()) }) as const;
  const fed = {
    ...{ policy: feed(policy), reference: feed(reference), q: feed(q) },
    beta: { dtype: "float64", shape: [], data: Float64Array.of(beta) } as const,
  };
  const outputs = interpret({ inputs, outputs: { values, gradient: gradient! } }, fed, { precision: "float64" });
  return { values: outputs["values"]!.data as Float64Array, gradient: outputs["gradient"]!.data as Float64Array };
}

function huber(error: number): number {
  const e = input("e", "float32", [1]);
  const data = { dtype: "float64", shape: [1], data: Float64Array.of(error) } as const;
  return interpret({ inputs: { e }, outputs: { y: huberLoss(e) } }, { e: data }, { precision: "float64" })["y"]!
    .data[0]!;
}

const softmax = (logits: readonly number[]) => {
  const most = Math.max(...logits);
  const weights = logits.map((z) => Math.exp(z - most));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
};

interface Etpo {
  readonly beta: number;
  readonly gamma: number;
  readonly policy_logits: Rows;
  readonly reference_logits: Rows;
  readonly q_target: Rows;
  readonly reward: number;
  readonly next_value: number;
  readonly soft_values: readonly number[];
  readonly targets: readonly number[];
  readonly chosen: readonly number[];
  readonly value_loss_mean: number;
  readonly policy_loss_kl_reference: number;
  readonly grad_kl_reference: Rows;
  readonly optimal_policy: Rows;
  readonly huber_correct: readonly number[];
}

itMatchesGolden<Etpo>("etpo", "soft values, targets, both losses and the policy's gradient", (golden) => {
  const { beta, gamma, policy_logits, reference_logits, q_target } = golden;
  const { values, gradient } = evaluate(policy_logits, reference_logits, q_target, beta);
  const rows = values.length;
  for (const [t, value] of golden.soft_values.entries()) expect(values[t]).toBeCloseTo(value, 8);
  expect(-values.reduce((a, b) => a + b, 0) / rows).toBeCloseTo(golden.policy_loss_kl_reference, 9);
  for (const [i, g] of golden.grad_kl_reference.flat().entries()) expect(gradient[i]! / rows).toBeCloseTo(g, 9);
  const targets = softTargets(values, { reward: golden.reward, gamma, next: golden.next_value });
  for (const [t, target] of golden.targets.entries()) expect(targets[t]).toBeCloseTo(target, 8);
  const losses = golden.chosen.map((token, t) => huber(q_target[t]![token]! - targets[t]!));
  expect(losses.reduce((a, b) => a + b, 0) / rows).toBeCloseTo(golden.value_loss_mean, 9);
  expect([-20, -5, 5, 20].map(huber)).toEqual(golden.huber_correct);
});

/** A tree of two tokens of three each: rewards of the nine texts, and the reference's probabilities. */
function tree() {
  const draw = (name: string, n: number) => Array.from({ length: n }, (_, i) => normal(randomKey(4, name), i));
  const first = draw("first", 3);
  const second = [0, 1, 2].map((a) => draw(`second ${a}`, 3));
  const rewards = [0, 1, 2].map((a) => draw(`reward ${a}`, 3));
  return { first, second, rewards };
}

itMatchesGolden<{ readonly max_abs_diff: number }>(
  "etpo_consistency",
  "the best policy token by token is the best one over whole texts",
  ({ max_abs_diff }) => {
    const beta = 0.5;
    const { first, second, rewards } = tree();
    // Token by token: the value of a first token is the soft value of the state after it under the best policy there.
    const logs = second.map((logits) => softmax(logits).map(Math.log));
    const best = logs.map((log, a) => log.map((value, b) => value + rewards[a]![b]! / beta));
    const after = evaluate(best, second, rewards, beta).values;
    const firstLogs = softmax(first).map(Math.log);
    const firstBest = softmax(firstLogs.map((value, a) => value + after[a]! / beta));
    const byToken = firstBest.flatMap((p, a) => softmax(best[a]!).map((q) => p * q));
    const whole = softmax(firstLogs.flatMap((log, a) => logs[a]!.map((l, b) => log + l + rewards[a]![b]! / beta)));
    const furthest = Math.max(...byToken.map((p, i) => Math.abs(p - whole[i]!)));
    expect(max_abs_diff).toBeLessThan(1e-15);
    expect(furthest).toBeLessThan(1e-14);
  },
);

describe("the policy's loss", () => {
  const { second, rewards } = tree();
  const q = rewards;

  test("has a gradient that depends on the critic", () => {
    const one = evaluate(second, second, q, 0.5).gradient;
    const other = evaluate(
      second,
      second,
      q.map((row) => row.map((value) => 2 * value)),
      0.5,
    ).gradient;
    expect(Math.max(...one.map((g, i) => Math.abs(g - other[i]!)))).toBeGreaterThan(0.01);
  });

  test("is least at ρ·exp(Q / β), where its gradient is zero", () => {
    const beta = 0.3;
    const best = second.map((row, t) => row.map((z, v) => z + q[t]![v]! / beta));
    const at = evaluate(best, second, q, beta);
    expect(Math.max(...at.gradient.map(Math.abs))).toBeLessThan(1e-12);
    for (let k = 0; k < 20; k++) {
      const moved = best.map((row, t) => row.map((z, v) => z + 0.3 * normal(randomKey(5, k), 3 * t + v)));
      const { values } = evaluate(moved, second, q, beta);
      for (const [t, value] of values.entries()) expect(value).toBeLessThanOrEqual(at.values[t]! + 1e-12);
    }
  });

  test("keeps the reference as β grows: its best policy comes to ρ, and at ρ only the critic pulls", () => {
    const beta = 1e6;
    const best = second.map((row, t) => softmax(row.map((z, v) => z + q[t]![v]! / beta)));
    for (const [t, row] of second.entries())
      for (const [v, p] of softmax(row).entries()) expect(best[t]![v]).toBeCloseTo(p, 5);
    const atReference = evaluate(second, second, q, beta).gradient;
    const away = evaluate(q, second, q, beta).gradient;
    expect(Math.max(...atReference.map(Math.abs))).toBeLessThan(2);
    expect(Math.max(...away.map(Math.abs))).toBeGreaterThan(1000);
  });

  test("without a critic and at the reference there is neither value nor gradient", () => {
    const zeros = q.map((row) => row.map(() => 0));
    const { values, gradient } = evaluate(second, second, zeros, 0.5);
    for (const value of [...values, ...gradient]) expect(Math.abs(value)).toBeLessThan(1e-15);
  });
});

test("targets do not discount within an utterance, and end in the reward", () => {
  expect([...softTargets(Float64Array.of(1, 2, 3), { reward: 5, gamma: 0.9 })]).toEqual([2, 3, 5]);
  expect([...softTargets(Float64Array.of(1, 2, 3), { reward: 5, gamma: 0.9, next: 10 })]).toEqual([2, 3, 14]);
  expect([...softTargets(new Float64Array(0), { reward: 5, gamma: 0.9 })]).toEqual([]);
});

test("an utterance ends in the discounted value of the next one's beginning, and what was observed has no target", () => {
  const segments = [
    { by: "policy", tokens: 2 },
    { by: "observation", tokens: 3 },
    { by: "policy", tokens: 2 },
  ] as const;
  const values = Float32Array.of(1, 2, 0, 0, 0, 8, 4);
  expect([...turnTargets(values, segments, { reward: 5, gamma: 0.5 })]).toEqual([2, 4, 0, 0, 0, 4, 5]);
  const one = [{ by: "policy", tokens: 3 }] as const;
  const own = Float32Array.of(1, 2, 3);
  expect(turnTargets(own, one, { reward: 5, gamma: 0.9 })).toEqual(softTargets(own, { reward: 5, gamma: 0.9 }));
});

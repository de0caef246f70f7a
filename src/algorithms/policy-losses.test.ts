/** cispo, sapo and reinforce by hand, and the ratio of a sequence. */
import { describe, expect, test } from "vitest";
import { grad } from "../compiler/grad.ts";
import { interpret } from "../compiler/interpret.ts";
import { sum } from "../compiler/ops/index.ts";
import { input, type Params } from "../compiler/tensor.ts";
import type { TensorData } from "../core/tensor-data.ts";
import { plainVariant, type TokenLossVariant, type TokenTerms, tokenColumns } from "./algorithm.ts";
import { defaultLossNumbers, type PolicyLossName, policyLosses, tokenLosses } from "./index.ts";
import { tokenLossOf } from "./token-loss.ts";

const offPolicy: TokenLossVariant = { ...plainVariant, onPolicy: false };
const sequence: TokenLossVariant = { ...offPolicy, level: "sequence" };

interface Token {
  readonly logProb?: number;
  readonly ratio: number;
  readonly advantage: number;
  readonly sequenceLogRatio?: number;
}

/** Loss of one token and its derivative by logProb. */
function evaluate(
  name: PolicyLossName,
  t: Token,
  variant = offPolicy,
  change: Partial<typeof defaultLossNumbers> = {},
) {
  const columns = ["logProb", ...tokenColumns];
  const numbers: Record<string, number> = { ...defaultLossNumbers, delta: 3e38, ...change };
  const inputs = Object.fromEntries([
    ...columns.map((key) => [key, input(key, "float32", ["tokens"])]),
    ...Object.keys(numbers).map((key) => [key, input(key, "float32", [])]),
  ]);
  const loss = tokenLossOf(tokenLosses[name], inputs as TokenTerms, variant);
  const logProb = t.logProb ?? -0.7;
  const values: Record<string, number> = {
    logProb,
    oldLogProb: logProb - Math.log(t.ratio),
    refLogProb: logProb,
    sequenceLogRatio: t.sequenceLogRatio ?? 0,
    advantage: t.advantage,
  };
  const wrap = (shape: number[], value: number): TensorData => ({
    dtype: "float64",
    shape,
    data: Float64Array.of(value),
  });
  const feeds: Params<TensorData> = Object.fromEntries([
    ...columns.map((key) => [key, wrap([1], values[key]!)]),
    ...Object.entries(numbers).map(([key, value]) => [key, wrap([], value)]),
  ]);
  const outputs = { loss, gradient: grad(sum(loss), [inputs["logProb"]!])[0]! };
  const found = interpret({ inputs, outputs }, feeds, { precision: "float64" });
  return [found["loss"]!.data[0]!, found["gradient"]!.data[0]!] as const;
}

test.each(Object.keys(policyLosses) as PolicyLossName[])("%s is nothing where the advantage is 0", (name) => {
  for (const ratio of [0.01, 1, 1.3, 50]) {
    for (const variant of [plainVariant, offPolicy]) {
      const found = evaluate(name, { ratio, advantage: 0 }, variant);
      expect(found.map(Math.abs)).toEqual([0, 0]);
    }
  }
});

describe("sapo", () => {
  test("the golden gates: ρ 1.3, τ 1 for A > 0 and 1.05 elsewhere", () => {
    expect(evaluate("sapo", { ratio: 1.3, advantage: 1 })[0]).toBeCloseTo(-2.29777, 6);
    expect(evaluate("sapo", { ratio: 1.3, advantage: -1 })[0]).toBeCloseTo(2.202306, 6);
  });

  test("at ratio 1 its gradient is that of ρA, far away it fades", () => {
    for (const advantage of [2, -2]) {
      expect(evaluate("sapo", { ratio: 1, advantage })[1]).toBeCloseTo(-advantage, 12);
      expect(Math.abs(evaluate("sapo", { ratio: 20, advantage })[1])).toBeLessThan(1e-3);
    }
  });
});

describe("cispo", () => {
  test.each([0.3, 1, 4, 9])("−min(ρ, 5)·A·logp at ρ %f: no token's gradient is dropped", (ratio) => {
    const cap = tokenLosses.cispo.numbers({ epsilon_high: null });
    expect(cap).toEqual({ epsilonHigh: 5, ratioFloor: 0 });
    expect(tokenLosses.cispo.bounds({ epsilon_high: null })).toEqual({ low: 0, high: 5 });
    for (const advantage of [1.5, -1.5]) {
      const [loss, gradient] = evaluate("cispo", { ratio, advantage }, offPolicy, cap);
      expect(loss).toBeCloseTo(Math.min(ratio, 5) * advantage * 0.7, 12);
      expect(gradient).toBeCloseTo(-Math.min(ratio, 5) * advantage, 12);
    }
  });
});

test("reinforce is −A·logp whatever the ratio", () => {
  for (const ratio of [0.5, 1, 3]) {
    const [loss, gradient] = evaluate("reinforce", { ratio, advantage: 2 });
    expect([loss, gradient]).toEqual([expect.closeTo(1.4, 12), -2]);
  }
});

describe("a sequence's ratio", () => {
  test("is every token's, and is clipped as one", () => {
    const t = { ratio: 5, advantage: 1, sequenceLogRatio: Math.log(1.1) };
    const [loss, gradient] = evaluate("clip", t, sequence);
    expect([loss, gradient]).toEqual([expect.closeTo(-1.1, 12), expect.closeTo(-1.1, 12)]);
    expect(evaluate("clip", { ...t, sequenceLogRatio: Math.log(1.3) }, sequence)).toEqual([
      expect.closeTo(-1.2, 12),
      0,
    ]);
  });

  test("summed with equal weights, the tokens' gradients are that of exp(mean(logp − old))", () => {
    const [logProbs, old] = [
      [-0.3, -1.2, -0.8],
      [-0.5, -1.1, -0.6],
    ];
    const ratioOf = (values: readonly number[]) =>
      Math.exp(values.reduce((total, value, t) => total + value - old![t]!, 0) / values.length);
    const sequenceLogRatio = Math.log(ratioOf(logProbs!));
    for (const [t, logProb] of logProbs!.entries()) {
      // Each token weighs 1/3, so that the loss is −ratio·A once.
      const [, gradient] = evaluate("clip", { logProb, ratio: 1, advantage: 1, sequenceLogRatio }, sequence);
      const moved = (by: number) => ratioOf(logProbs!.with(t, logProb + by));
      expect(gradient / 3).toBeCloseTo(-(moved(1e-5) - moved(-1e-5)) / 2e-5, 8);
    }
  });
});

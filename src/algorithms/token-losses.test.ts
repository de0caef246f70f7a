/** Token losses and their gradients against a second implementation, from the formulas and by hand. */
import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../compiler/grad.ts";
import { interpret } from "../compiler/interpret.ts";
import { sum } from "../compiler/ops/index.ts";
import { input, type Params, type Program } from "../compiler/tensor.ts";
import type { TensorData } from "../core/tensor-data.ts";
import { CompiledProgram } from "../runtime/session.ts";
import { plainVariant, type TokenColumn, type TokenLossVariant, type TokenTerms, tokenColumns } from "./algorithm.ts";
import { defaultLossNumbers, type TokenLossName, type TokenLossNumbers, tokenLosses } from "./index.ts";
import { type KlEstimator, klEstimators } from "./kl.ts";
import { tokenLossOf } from "./token-loss.ts";

type Token = Readonly<Record<TokenColumn | "logProb", number>>;

interface LossAndGradient {
  readonly loss: number;
  /** By logProb. */
  readonly gradient: number;
}

/** The policy term −min(min(ρ, delta)·A, clip(ρ)·A) and what each of its branches has for a derivative. */
function policyTerm(t: Token, onPolicy: boolean, o: TokenLossNumbers): LossAndGradient {
  const A = t.advantage;
  const ratio = onPolicy ? 1 : Math.exp(t.logProb - t.oldLogProb);
  const [low, high] = [1 - o.epsilonLow, 1 + o.epsilonHigh];
  const unclipped = Math.min(ratio, o.delta) * A;
  const clipped = Math.min(Math.max(ratio, low), high) * A;
  // d ρ / d logProb = ρ; a ratio that a bound has replaced does not move.
  if (unclipped <= clipped) return { loss: -unclipped, gradient: ratio > o.delta ? 0 : -A * ratio };
  return { loss: -clipped, gradient: ratio < low || ratio > high ? 0 : -A * ratio };
}

function klTerm(t: Token, estimator: KlEstimator): LossAndGradient {
  const d = t.refLogProb - t.logProb;
  if (estimator === "k1") return { loss: -d, gradient: 1 };
  if (estimator === "k2") return { loss: d ** 2 / 2, gradient: -d };
  return { loss: Math.exp(d) - d - 1, gradient: 1 - Math.exp(d) };
}

function clippedByHand(t: Token, { onPolicy, klEstimator }: TokenLossVariant, o: TokenLossNumbers): LossAndGradient {
  const policy = policyTerm(t, onPolicy, o);
  if (klEstimator === null) return policy;
  const kl = klTerm(t, klEstimator);
  return { loss: policy.loss + o.beta * kl.loss, gradient: policy.gradient + o.beta * kl.gradient };
}

const scalars = Object.keys(defaultLossNumbers) as (keyof TokenLossNumbers)[];
const columns = ["logProb", ...tokenColumns] as const;

/** Each token's loss, and the gradient of their sum by logProb. */
function program(name: TokenLossName, variant: TokenLossVariant): Program {
  const inputs = Object.fromEntries([
    ...columns.map((key) => [key, input(key, "float32", ["tokens"])]),
    ...scalars.map((key) => [key, input(key, "float32", [])]),
  ]);
  const loss = tokenLossOf(tokenLosses[name], inputs as unknown as TokenTerms, variant);
  return { inputs, outputs: { loss, gradient: grad(sum(loss), [inputs.logProb!])[0]! } };
}

function feeds(tokens: readonly Token[], o: TokenLossNumbers, dtype: "float32" | "float64"): Params<TensorData> {
  const wrap = (shape: number[], values: number[]): TensorData => ({
    dtype,
    shape,
    data: dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values),
  });
  const column = (key: (typeof columns)[number]) =>
    wrap(
      [tokens.length],
      tokens.map((token) => token[key]),
    );
  return Object.fromEntries([
    ...columns.map((key) => [key, column(key)]),
    ...scalars.map((key) => [key, wrap([], [Math.min(o[key], 3e38)])]),
  ]);
}

function expectClose(found: TensorData, expected: readonly number[], tolerance: number, what: string): void {
  expect(found.data.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(found.data[i]! - value);
    expect(difference <= tolerance * Math.max(1, Math.abs(value)), `${what} ${i}: ${found.data[i]} for ${value}`).toBe(
      true,
    );
  }
}

/** Ratios far below, below, in, above and far above the clip range and the cap; 1 stands for the tie. */
const ratios = [0.05, 0.5, 0.79, 0.81, 0.95, 1, 1.1, 1.19, 1.21, 1.27, 1.29, 1.9, 2.1, 6];
const advantages = [-2.5, -0.5399, 0, 0.75, 1.6198];
const references = [-2, -0.3, 0, 0.4, 1.1];
/** Rounded to float32, so that both precisions are fed the same. */
const tokens: readonly Token[] = ratios.flatMap((ratio, i) =>
  advantages.flatMap((advantage, j) =>
    references.map((reference) => {
      const oldLogProb = Math.fround(-0.2 - 0.37 * i - 0.11 * j);
      const logProb = ratio === 1 ? oldLogProb : Math.fround(oldLogProb + Math.log(ratio));
      const refLogProb = reference === 0 ? logProb : Math.fround(logProb + reference);
      return { logProb, oldLogProb, refLogProb, sequenceLogRatio: 0, advantage: Math.fround(advantage) };
    }),
  ),
);

const numbers: readonly TokenLossNumbers[] = [
  { ...defaultLossNumbers, beta: 0.04 },
  { ...defaultLossNumbers, beta: 0.5, epsilonHigh: 0.28 },
  { ...defaultLossNumbers, delta: 2 },
  { ...defaultLossNumbers, beta: 1, epsilonLow: 0.5, epsilonHigh: 1, delta: 4 },
];

const variants: readonly TokenLossVariant[] = [true, false].flatMap((onPolicy) =>
  [null, ...klEstimators].map((klEstimator) => ({ ...plainVariant, onPolicy, klEstimator })),
);

const sessions = new Map<TokenLossVariant, Promise<CompiledProgram>>();
const sessionOf = (variant: TokenLossVariant) => {
  const session = sessions.get(variant) ?? CompiledProgram.compile(program("clip", variant), { threads: 1 });
  sessions.set(variant, session);
  return session;
};
afterAll(async () => {
  for (const session of sessions.values()) await (await session).release();
});

describe.each(variants)("clip, on policy $onPolicy, KL $klEstimator", (variant) => {
  test.each(numbers)("%o", async (o) => {
    const expected = tokens.map((token) => clippedByHand(token, variant, o));
    const losses = expected.map(({ loss }) => loss);
    const gradients = expected.map(({ gradient }) => gradient);
    const exact = interpret(program("clip", variant), feeds(tokens, o, "float64"), { precision: "float64" });
    expectClose(exact.loss!, losses, 1e-9, "loss");
    expectClose(exact.gradient!, gradients, 1e-9, "gradient");
    const run = await (await sessionOf(variant)).run(feeds(tokens, o, "float32"));
    expectClose(run.loss!, losses, 1e-5, "loss");
    expectClose(run.gradient!, gradients, 1e-5, "gradient");
  });
});

describe("ties of the minimum", () => {
  const off: TokenLossVariant = { ...plainVariant, onPolicy: false };
  const single = (ratio: number, advantage: number): Token => {
    return { logProb: Math.log(ratio), oldLogProb: 0, refLogProb: 0, sequenceLogRatio: 0, advantage };
  };
  const evaluate = (token: Token, o: TokenLossNumbers) => {
    const { loss, gradient } = interpret(program("clip", off), feeds([token], o, "float64"), {
      precision: "float64",
    });
    return [loss!.data[0]!, gradient!.data[0]!] as const;
  };
  const range = defaultLossNumbers;

  test("all of the clip range passes the whole gradient, A of either sign", () => {
    for (const ratio of [0.81, 1, 1.19]) {
      for (const A of [1.5, -1.5]) expect(evaluate(single(ratio, A), range)[1]).toBeCloseTo(-A * ratio, 12);
    }
  });

  test("exactly on the edges it still passes", async () => {
    // exp(log ratio) decides where the edge is, so the range is made to end exactly there.
    for (const ratio of [0.75, 1.25]) {
      const exact = Math.exp(Math.log(ratio));
      const o = { ...range, epsilonLow: ratio < 1 ? 1 - exact : 0.2, epsilonHigh: ratio > 1 ? exact - 1 : 0.2 };
      for (const A of [2, -2]) expect(evaluate(single(ratio, A), o)[1]).toBeCloseTo(-A * ratio, 12);
    }
    // A range of no width around ratio 1: both edges and the tie at once, in both precisions.
    const none = { ...range, epsilonLow: 0, epsilonHigh: 0 };
    const session = await sessionOf(variants.find(({ onPolicy, klEstimator }) => !onPolicy && klEstimator === null)!);
    for (const A of [2, -2]) {
      const token = { logProb: -1.5, oldLogProb: -1.5, refLogProb: 0, sequenceLogRatio: 0, advantage: A };
      expect(evaluate(token, none)[1]).toBe(-A);
      expect((await session.run(feeds([token], none, "float32"))).gradient!.data[0]).toBeCloseTo(-A, 5);
    }
  });

  test("outside, only the pessimistic side passes", () => {
    expect(evaluate(single(1.5, 1), range)).toEqual([expect.closeTo(-1.2, 12), 0]);
    expect(evaluate(single(1.5, -1), range)).toEqual([expect.closeTo(1.5, 12), expect.closeTo(1.5, 12)]);
    expect(evaluate(single(0.5, 1), range)).toEqual([expect.closeTo(-0.5, 12), expect.closeTo(-0.5, 12)]);
    expect(evaluate(single(0.5, -1), range)).toEqual([expect.closeTo(0.8, 12), 0]);
  });

  test("delta bounds what a negative advantage can lose", () => {
    const capped = { ...range, delta: 2 };
    expect(evaluate(single(6, -1), capped)).toEqual([expect.closeTo(2, 12), 0]);
    expect(evaluate(single(1.9, -1), capped)).toEqual([expect.closeTo(1.9, 12), expect.closeTo(1.9, 12)]);
  });
});

test("KL estimators at the golden point: logp −1, reference −1.5", () => {
  const expected = { k1: 0.5, k2: 0.125, k3: 0.106531 };
  const token: Token = { logProb: -1, oldLogProb: -1, refLogProb: -1.5, sequenceLogRatio: 0, advantage: 0 };
  const o = { ...defaultLossNumbers, beta: 1 };
  for (const klEstimator of klEstimators) {
    const found = interpret(program("clip", { ...plainVariant, klEstimator }), feeds([token], o, "float64"));
    expect(found.loss!.data[0]).toBeCloseTo(expected[klEstimator], 6);
  }
});

test("without a KL term the reference is not read, on policy the old log-probs are not", () => {
  const fed: Record<string, TensorData> = { ...feeds(tokens, numbers[0]!, "float64") };
  delete fed["refLogProb"];
  const offPolicy = program("clip", { ...plainVariant, onPolicy: false });
  expect(() => interpret(offPolicy, fed)).not.toThrow();
  delete fed["oldLogProb"];
  expect(() => interpret(offPolicy, fed)).toThrow("oldLogProb");
  expect(() => interpret(program("clip", plainVariant), fed)).not.toThrow();
  expect(() => interpret(program("clip", { ...plainVariant, klEstimator: "k3" }), fed)).toThrow("refLogProb");
});

test("supervised: −logp, gradient −1, whatever else is fed", () => {
  const variant = plainVariant;
  const found = interpret(program("supervised", variant), feeds(tokens, numbers[0]!, "float64"));
  expectClose(
    found.loss!,
    tokens.map(({ logProb }) => -logProb),
    1e-12,
    "loss",
  );
  expectClose(
    found.gradient!,
    tokens.map(() => -1),
    1e-12,
    "gradient",
  );
});

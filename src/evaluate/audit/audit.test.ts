import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { randomKey, uniform } from "../../core/random.ts";
import { type Asked, type Attributes, adaptiveDraws, unbiasedRate, weakestCells } from "./adaptive.ts";
import { auditRates, gradeOf } from "./grade.ts";

/** 6 x 4 x 5 combinations, five of each; one pair of values fails often, the rest seldom. */
const pool: readonly Attributes[] = Array.from({ length: 600 }, (_, i) => ({
  finding: `f${i % 6}`,
  side: `s${Math.floor(i / 6) % 4}`,
  size: `z${Math.floor(i / 24) % 5}`,
}));
const failureOf = ({ finding, side }: Attributes) => (finding === "f2" && side === "s1" ? 0.8 : 0.08);
const truth = pool.reduce((sum, attributes) => sum + failureOf(attributes), 0) / pool.length;
/** Whether the model fails on each question, once and for all. */
const failing = (seed: number) =>
  pool.map((attributes, i) => uniform(randomKey(seed, "model"), i) < failureOf(attributes));

function audit(seed: number, uniformFirst: number): readonly Asked[] {
  const fails = failing(seed);
  const draws = adaptiveDraws(pool, { seed, queries: 400, uniformFirst });
  const asked: Asked[] = [];
  while (asked.length < 400) {
    for (const draw of draws.next(8)) {
      const failed = fails[draw.index]!;
      draws.record(draw.index, failed);
      asked.push({ ...draw, failed });
    }
  }
  return asked;
}

describe("the adaptive audit", () => {
  it("weighs uniform draws by 1", () => {
    for (const { weight } of audit(1, 1)) expect(weight).toBeCloseTo(1, 12);
  });

  it("finds more failures than uniform draws, and still the true rate on average", () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const runs = seeds.map((seed) => audit(seed, 0.25));
    const found = mean(runs.map((asked) => asked.filter(({ failed }) => failed).length));
    const plain = mean(seeds.map((seed) => audit(seed, 1).filter(({ failed }) => failed).length));
    expect(found).toBeGreaterThan(1.2 * plain);
    const rates = runs.map(unbiasedRate);
    const spread = Math.sqrt(mean(rates.map((rate) => (rate - mean(rates)) ** 2)) / seeds.length);
    expect(Math.abs(mean(rates) - truth)).toBeLessThan(4 * spread);
    expect(mean(runs.map((asked) => asked.filter(({ failed }) => failed).length / 400)) - truth).toBeGreaterThan(
      8 * spread,
    );
  });

  it("names the weak cell first", () => {
    const named = [1, 2, 3, 4, 5].filter((seed) => {
      const [first] = weakestCells(pool, audit(seed, 0.25));
      return first!.attributes["finding"] === "f2" && first!.attributes["side"] === "s1";
    });
    expect(named.length).toBeGreaterThanOrEqual(4);
    const [first] = weakestCells(pool, audit(1, 0.25));
    expect(first!.rate).toBeGreaterThan(0.6);
    expect(first!.low).toBeLessThan(first!.rate);
  });

  it("draws the same for the same seed, and anything from a pool without attributes", () => {
    expect(audit(3, 0.25)).toEqual(audit(3, 0.25));
    const bare = adaptiveDraws([{}, {}], { seed: 1, queries: 8 });
    for (const { weight } of bare.next(8)) expect(weight).toBe(1);
  });

  interface Rates {
    readonly grade: number[];
    readonly verdict_correct: number[];
    readonly IMR: number;
    readonly JFR: number;
    readonly mean_grade: number;
  }
  itMatchesGolden<Rates>("audit", "rates of grades", ({ grade, verdict_correct, IMR, JFR, mean_grade }) => {
    const rates = auditRates(grade.map((one, i) => ({ grade: one, right: verdict_correct[i] === 1 })));
    expect(rates).toEqual({ failure_rate: IMR, poor_reason_rate: JFR, mean_grade });
    expect(rates.poor_reason_rate).toBeLessThanOrEqual(rates.failure_rate);
  });

  interface Grades {
    readonly cases: readonly { verdict: number; precision: number; f1: number; grade: number }[];
  }
  itMatchesGolden<Grades>("audit_grade", "grades of answers", ({ cases }) => {
    for (const { verdict, precision, f1, grade } of cases)
      expect(gradeOf(verdict === 1, precision, f1)).toBeCloseTo(grade, 9);
  });
});

import { describe, expect, it } from "vitest";
import { cpuTime } from "../../test/cpu-time.ts";
import { integer, normal, randomKey } from "../core/random.ts";
import { bootstrapMean, bootstrapMeans, bootstrapStatistic, pairedBootstrap, quantile } from "./bootstrap.ts";
import { detectableDifference, mcnemarExact, signFlipP, wilson } from "./statistics.ts";

const key = randomKey(11, "test");
const names = (n: number, rowsEach = 1) => Array.from({ length: n }, (_, i) => `s${Math.floor(i / rowsEach)}`);

describe("bootstrapStatistic", () => {
  const values = Array.from({ length: 60 }, (_, i) => (i * 7) % 11);
  const subjects = values.map((_, i) => `${Math.floor(i / 3)}`);
  const weighted = (times: Float64Array) => {
    const total = times.reduce((sum, count) => sum + count, 0);
    return values.reduce((sum, value, i) => sum + value * times[i]!, 0) / total;
  };

  it("equals bootstrapMean for a mean", () => {
    const mean = bootstrapMean(values, subjects)!;
    const same = bootstrapStatistic(subjects, weighted)!;
    for (const part of ["estimate", "low", "high", "n", "subjects"] as const) {
      expect(same[part]).toBeCloseTo(mean[part], 10);
    }
  });

  it("skips resamples with a NaN statistic, and returns null if all are NaN", () => {
    const rare = bootstrapStatistic(["a", "b"], (times) => (times[0]! > 0 ? 1 : Number.NaN))!;
    expect(rare).toEqual({ estimate: 1, low: 1, high: 1, n: 2, subjects: 2 });
    expect(bootstrapStatistic(["a"], () => Number.NaN)).toBeNull();
    expect(bootstrapStatistic([], () => 1)).toBeNull();
  });
});

describe("bootstrapMean", () => {
  it("agrees with the normal interval on independent rows", () => {
    const values = Array.from({ length: 400 }, (_, i) => normal(key, i));
    const { estimate, low, high, n, subjects } = bootstrapMean(values, names(400))!;
    const mean = values.reduce((sum, value) => sum + value, 0) / 400;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 399);
    expect([estimate, n, subjects]).toEqual([mean, 400, 400]);
    expect((high - low) / 2).toBeCloseTo((1.96 * deviation) / 20, 1.5);
    expect((high + low) / 2).toBeCloseTo(mean, 1.5);
  });

  it("is wider if rows of a subject are correlated", () => {
    const values = Array.from({ length: 400 }, (_, i) => (normal(key, Math.floor(i / 10)) > 0 ? 1 : 0));
    const clustered = bootstrapMean(values, names(400, 10))!;
    const independent = bootstrapMean(values, names(400))!;
    expect(clustered.subjects).toBe(40);
    expect((clustered.high - clustered.low) / (independent.high - independent.low)).toBeGreaterThan(2.5);
  });

  it("is deterministic, has no width without variation, and is null without values", () => {
    const values = [0, 1, 1, 0, 1];
    expect(bootstrapMean(values, names(5))).toEqual(bootstrapMean(values, names(5)));
    expect(bootstrapMean(values, names(5), { seed: 1 })!.estimate).toBe(0.6);
    expect(bootstrapMean([1, 1], names(2))).toMatchObject({ estimate: 1, low: 1, high: 1 });
    expect(bootstrapMean([], [])).toBeNull();
  });

  it("gives every column the same result as alone", () => {
    const columns = [0, 1, 2].map((c) => Array.from({ length: 300 }, (_, i) => normal(key, 300 * c + i)));
    const together = bootstrapMeans(columns, names(300, 4));
    expect(together).toEqual(columns.map((values) => bootstrapMean(values, names(300, 4))));
  });

  it("draws 2,000 resamples of 1,000 subjects in well under a second", () => {
    const begin = cpuTime();
    bootstrapMean(new Array<number>(5000).fill(1), names(5000, 5));
    expect(cpuTime() - begin).toBeLessThan(1000);
  });
});

describe("paired tests", () => {
  it("detects a constant difference despite shared noise", () => {
    const b = Array.from({ length: 200 }, (_, i) => normal(key, i));
    const a = b.map((value, i) => value + 0.1 + 0.05 * normal(key, 1000 + i));
    const { low, high } = pairedBootstrap(a, b, names(200))!;
    expect(low).toBeGreaterThan(0.08);
    expect(high).toBeLessThan(0.12);
  });

  it.each([
    [0, 0, 1],
    [5, 5, 1],
    [1, 0, 1],
    [6, 0, 0.03125],
    [10, 2, 0.03857421875],
    [2, 10, 0.03857421875],
  ])("McNemar with %i and %i flips: p = %f", (onlyA, onlyB, p) => {
    const a = [...new Array<boolean>(onlyA).fill(true), ...new Array<boolean>(onlyB).fill(false), true, false];
    const b = [...new Array<boolean>(onlyA).fill(false), ...new Array<boolean>(onlyB).fill(true), true, false];
    const test = mcnemarExact(a, b);
    expect([test.onlyA, test.onlyB]).toEqual([onlyA, onlyB]);
    expect(test.p).toBeCloseTo(p, 10);
  });

  it("stays finite with thousands of flips", () => {
    const a = Array.from({ length: 6000 }, (_, i) => i < 3100);
    const { p } = mcnemarExact(
      a,
      a.map((right) => !right),
    );
    expect(p).toBeGreaterThan(0.009);
    expect(p).toBeLessThan(0.011);
  });
});

describe("wilson and quantile", () => {
  it("gives known values", () => {
    expect(wilson(8, 10)[0]).toBeCloseTo(0.4902, 4);
    expect(wilson(8, 10)[1]).toBeCloseTo(0.9433, 4);
    expect(wilson(0, 10)[0]).toBe(0);
    expect(wilson(0, 0)).toEqual([0, 1]);
    expect(quantile(Float64Array.of(0, 1, 2, 3), 0.5)).toBe(1.5);
    expect(quantile(Float64Array.of(4), 0.975)).toBe(4);
  });
});

describe("signFlipP", () => {
  it("equals McNemar's exact test where every subject has one row", () => {
    const key = randomKey(3, "rows");
    const values = Array.from({ length: 90 }, (_, i) => [1, -1, 0, 1][integer(key, i, 4)]!);
    const [a, b] = [values.map((value) => value > 0), values.map((value) => value < 0)];
    const subjects = values.map((_, i) => `s${i}`);
    expect(signFlipP(values, subjects)).toBeCloseTo(mcnemarExact(a, b).p, 12);
  });

  it("equals all flips counted one by one where subjects have several rows", () => {
    const subjects = ["a", "a", "a", "b", "b", "c", "d", "d"];
    const values = [1, 1, 0, -1, -1, 1, 1, 1];
    const sums = [2, -2, 1, 2];
    let asFar = 0;
    for (let flips = 0; flips < 16; flips++) {
      const total = sums.reduce((sum, one, s) => sum + ((flips >> s) & 1 ? one : -one), 0);
      if (Math.abs(total) >= 3) asFar++;
    }
    expect(signFlipP(values, subjects)).toBeCloseTo(asFar / 16, 12);
  });

  it("is 1 where nothing differs or gains and losses cancel", () => {
    expect(signFlipP([0, 0], ["a", "b"])).toBe(1);
    expect(signFlipP([1, -1], ["a", "b"])).toBe(1);
  });
});

describe("detectableDifference", () => {
  it("is unknown for one subject, and where all came out alike", () => {
    expect(detectableDifference([1, 0, 1], ["a", "a", "a"])).toBe(null);
    expect(detectableDifference([1, 1, 1, 1], names(4))).toBe(null);
    expect(detectableDifference(Array(30).fill(0.1), names(30, 3))).toBe(null); // alike up to rounding
    expect(detectableDifference([1, 1, 1, 0], names(4))).toBeGreaterThan(0.2);
  });
});

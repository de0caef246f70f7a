import { expect, test } from "vitest";
import { agreementOf, cohensKappa, type JudgedPair } from "./agreement.ts";

const times = (count: number, theirs: number, own: number): readonly JudgedPair[] =>
  Array.from({ length: count }, (_, i) => ({ subject: `${theirs}${own}${i}`, theirs, own }));

/** The table of Cohen's kappa in many textbooks: 20 both yes, 15 both no, 5 and 10 on which they differ; kappa 0.4. */
const pairs = [...times(20, 1, 1), ...times(5, 0, 1), ...times(10, 1, 0), ...times(15, 0, 0)];

test("kappa beside its base rate, sensitivity and specificity", () => {
  const found = agreementOf(pairs, { resamples: 200 });
  expect(found.n).toBe(50);
  expect(found.kappa!.estimate).toBeCloseTo(0.4, 12);
  expect(found.agreement!.estimate).toBeCloseTo(0.7, 12);
  expect(found.baseRate!.estimate).toBeCloseTo(0.6, 12);
  expect(found.sensitivity!.estimate).toBeCloseTo(2 / 3, 12);
  expect(found.specificity!.estimate).toBeCloseTo(0.75, 12);
  expect(found.kappa!.low).toBeLessThan(0.4);
  expect(found.kappa!.high).toBeGreaterThan(0.4);
});

test("what is not defined is null", () => {
  expect(cohensKappa([])).toBe(null);
  expect(cohensKappa(times(5, 1, 1))).toBe(null);
  const { sensitivity, specificity } = agreementOf(times(5, 1, 1), { resamples: 10 });
  expect([sensitivity?.estimate, specificity]).toEqual([1, null]);
});

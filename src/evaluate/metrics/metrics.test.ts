import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tokenF1 } from "../../answers/open.ts";
import { bleu1, bleu4, rouge1, rougeL, tokenRecall } from "../../answers/overlap.ts";
import { bootstrapMean, type Interval, pairedBootstrap } from "../bootstrap.ts";
import { clusteredStandardError, holm, mcnemarExact, minimalDetectableDifference, wilson } from "../statistics.ts";
import { majorityIndex, passAtK } from "./sampled.ts";

const golden = JSON.parse(readFileSync(new URL("../../../test/golden/metrics.json", import.meta.url), "utf8"));

interface Overlap {
  readonly prediction: readonly string[];
  readonly reference: readonly string[];
  readonly bleu_1: number;
  readonly bleu_4: number;
  readonly rouge_1: number;
  readonly rouge_l: number;
  readonly token_f1: number;
  readonly recall: number;
}

interface Reference {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly standard_error: number;
}

describe("word overlap", () => {
  it("equals nltk, rouge-score and scikit-learn", () => {
    for (const { prediction, reference, ...wanted } of golden.overlap as readonly Overlap[]) {
      expect(bleu1(prediction, reference)).toBeCloseTo(wanted.bleu_1, 12);
      expect(bleu4(prediction, reference)).toBeCloseTo(wanted.bleu_4, 12);
      expect(rouge1(prediction, reference)).toBeCloseTo(wanted.rouge_1, 12);
      expect(rougeL(prediction, reference)).toBeCloseTo(wanted.rouge_l, 12);
      expect(tokenRecall(prediction, reference)).toBeCloseTo(wanted.recall, 12);
      expect(tokenF1(prediction.join(" "), reference.join(" "))).toBeCloseTo(wanted.token_f1, 12);
    }
  });
});

describe("several answers to a question", () => {
  it("pass@k is the fraction of all subsets of size k with a correct answer", () => {
    for (const [n, right, k, share] of golden.sampled.pass_at_k) expect(passAtK(n, right, k)).toBeCloseTo(share, 12);
    expect(() => passAtK(2, 1, 3)).toThrow(/internal: passAtK/);
  });

  it("the majority equals Python's most_common, the first at ties", () => {
    for (const [votes, wanted] of golden.sampled.majority) expect(votes[majorityIndex(votes)!]).toBe(wanted);
    expect(majorityIndex([null, "a", null])).toBe(1);
    expect(majorityIndex([null, null])).toBeNull();
    expect(majorityIndex(["a", "b", "b"], 1)).toBe(0);
  });
});

describe("intervals over subjects", () => {
  it("agree with scipy's percentile bootstrap and statsmodels' clustered errors", () => {
    for (const { values, other, subjects, mean, difference } of golden.intervals) {
      const agrees = (interval: Interval, wanted: Reference) => {
        expect(interval.estimate).toBeCloseTo(wanted.estimate, 12);
        // Two bootstraps differ by chance: an interval end of 20,000 resamples varies by about a fiftieth of the
        // standard error.
        expect(Math.abs(interval.low - wanted.low)).toBeLessThan(0.08 * wanted.standard_error);
        expect(Math.abs(interval.high - wanted.high)).toBeLessThan(0.08 * wanted.standard_error);
      };
      agrees(bootstrapMean(values, subjects, { resamples: 20_000 })!, mean);
      agrees(pairedBootstrap(values, other, subjects, { resamples: 20_000 })!, difference);
      expect(clusteredStandardError(values, subjects)).toBeCloseTo(mean.standard_error, 10);
      const differences = values.map((value: number, i: number) => value - other[i]);
      expect(clusteredStandardError(differences, subjects)).toBeCloseTo(difference.standard_error, 10);
    }
  });
});

describe("tests", () => {
  it("McNemar, Holm, Wilson and the detectable difference equal statsmodels", () => {
    for (const [onlyA, onlyB, p] of golden.tests.mcnemar) {
      const a = Array.from({ length: onlyA + onlyB }, (_, i) => i < onlyA);
      expect(
        mcnemarExact(
          a,
          a.map((right) => !right),
        ).p,
      ).toBeCloseTo(p, 10);
    }
    for (const [given, adjusted] of golden.tests.holm) {
      for (const [i, p] of holm(given).entries()) expect(p).toBeCloseTo(adjusted[i], 12);
    }
    for (const [right, n, low, high] of golden.tests.wilson) {
      expect(wilson(right, n)[0]).toBeCloseTo(low, 10);
      expect(wilson(right, n)[1]).toBeCloseTo(high, 10);
    }
    for (const [error, difference] of golden.tests.detectable) {
      expect(minimalDetectableDifference(error) / difference).toBeCloseTo(1, 12);
    }
  });
});

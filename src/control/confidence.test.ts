import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { confidenceScores, normalisedEntropy, optionShares } from "./confidence.ts";

interface Golden {
  readonly trial_logprobs: readonly number[];
  readonly min: number;
  readonly avg1: number;
  readonly avg2: number;
  readonly option_logprobs: readonly number[];
  readonly option_probs: readonly number[];
  readonly normalised_entropy: number;
}

describe("confidence", () => {
  itMatchesGolden<Golden>("stop", "scores of a trial's tokens, shares and entropy of options", (golden) => {
    for (const name of ["min", "avg1", "avg2"] as const) {
      expect(confidenceScores[name](golden.trial_logprobs)).toBeCloseTo(golden[name], 9);
    }
    const shares = optionShares(golden.option_logprobs);
    for (const [i, share] of shares.entries()) expect(share).toBeCloseTo(golden.option_probs[i]!, 9);
    expect(normalisedEntropy(shares)).toBeCloseTo(golden.normalised_entropy, 9);
  });

  it("is 1 for certain tokens, and orders least, geometric and arithmetic mean", () => {
    for (const score of Object.values(confidenceScores)) expect(score([0, 0])).toBe(1);
    const logProbs = [-0.1, -2, -0.5];
    const [least, geometric, mean] = (["min", "avg2", "avg1"] as const).map((name) => confidenceScores[name](logProbs));
    expect(least!).toBeLessThan(geometric!);
    expect(geometric!).toBeLessThan(mean!);
  });

  it("is undecided between equal options and certain of a single one, however small their probabilities", () => {
    expect(normalisedEntropy(optionShares([-3, -3, -3]))).toBeCloseTo(1, 12);
    expect(normalisedEntropy(optionShares([-900, -2000]))).toBe(0);
    expect(normalisedEntropy(optionShares([-5]))).toBe(0);
  });
});

import { describe, expect, test } from "vitest";
import { permutation, randomKey, uniform } from "../core/random.ts";
import { type LossType, lossTypes, tokenWeights } from "./token-weights.ts";

const maxCompletionLength = 12;

interface Batch {
  readonly lengths: readonly number[];
  readonly masked: readonly boolean[];
}

const batches: Readonly<Record<string, Batch>> = {
  "different lengths": { lengths: [3, 12, 1, 7], masked: [false, false, false, false] },
  "masked ones": { lengths: [3, 12, 1, 12, 5], masked: [false, true, false, true, false] },
  "an empty completion": { lengths: [0, 4, 2], masked: [false, false, false] },
  "all masked": { lengths: [12, 12], masked: [true, true] },
  "one completion of one token": { lengths: [1], masked: [false] },
  nothing: { lengths: [], masked: [] },
};

/** A loss for every token. */
const tokenLosses = ({ lengths }: Batch) =>
  lengths.map((length, i) => Array.from({ length }, (_, t) => uniform(randomKey(1, i), t) - 0.3));

/** Section 3 of ALGORITHMS.md, written as it stands there. */
function direct(lossType: LossType, { lengths, masked }: Batch, losses: readonly (readonly number[])[]): number {
  const B = lengths.length;
  const sums = losses.map((own, i) => (masked[i] ? 0 : own.reduce((a, b) => a + b, 0)));
  const counted = lengths.map((length, i) => (masked[i] ? 0 : length));
  const all = sums.reduce((a, b) => a + b, 0);
  switch (lossType) {
    case "grpo": {
      const means = sums.map((sum, i) => (counted[i] === 0 ? 0 : sum / counted[i]!));
      return B === 0 ? 0 : means.reduce((a, b) => a + b, 0) / B;
    }
    case "bnpo":
    case "dapo":
      return all === 0 ? 0 : all / counted.reduce((a, b) => a + b, 0);
    case "dr_grpo":
      return B === 0 ? 0 : all / (B * maxCompletionLength);
  }
}

const weighted = (weights: readonly number[], losses: readonly (readonly number[])[]) =>
  losses.reduce((total, own, i) => total + weights[i]! * own.reduce((a, b) => a + b, 0), 0);

describe.each(lossTypes)("%s", (lossType) => {
  test.each(Object.entries(batches))("%s: Σ weight x token loss is the direct sum", (_, batch) => {
    const weights = tokenWeights(batch.lengths, batch.masked, { lossType, maxCompletionLength });
    expect(weights.length).toBe(batch.lengths.length);
    for (const weight of weights) expect(Number.isFinite(weight)).toBe(true);
    const losses = tokenLosses(batch);
    expect(weighted(weights, losses)).toBeCloseTo(direct(lossType, batch, losses), 12);
  });

  test("a masked completion weighs nothing", () => {
    const { lengths, masked } = batches["masked ones"]!;
    const weights = tokenWeights(lengths, masked, { lossType, maxCompletionLength });
    for (const [i, weight] of weights.entries()) expect(weight > 0).toBe(!masked[i]);
  });

  test("the batch may be split and ordered in any way", () => {
    const batch = batches["masked ones"]!;
    const weights = tokenWeights(batch.lengths, batch.masked, { lossType, maxCompletionLength });
    const losses = tokenLosses(batch);
    const whole = weighted(weights, losses);
    for (let cut = 0; cut <= weights.length; cut++) {
      const parts = [
        [0, cut],
        [cut, weights.length],
      ] as const;
      const total = parts.reduce((sum, part) => sum + weighted(weights.slice(...part), losses.slice(...part)), 0);
      expect(total).toBeCloseTo(whole, 12);
    }
    const order = [...permutation(randomKey(5), weights.length)];
    const lengths = order.map((i) => batch.lengths[i]!);
    const masked = order.map((i) => batch.masked[i]!);
    expect(tokenWeights(lengths, masked, { lossType, maxCompletionLength })).toEqual(order.map((i) => weights[i]));
  });
});

test("only grpo favours short completions, only dr_grpo knows the longest possible one", () => {
  const weights = (lossType: LossType, longest: number) =>
    tokenWeights([2, 8], [false, false], { lossType, maxCompletionLength: longest });
  expect(weights("grpo", 8)).toEqual([1 / 4, 1 / 16]);
  expect(weights("bnpo", 8)).toEqual([1 / 10, 1 / 10]);
  expect(weights("dapo", 8)).toEqual([1 / 10, 1 / 10]);
  expect(weights("dr_grpo", 8)).toEqual([1 / 16, 1 / 16]);
  for (const lossType of lossTypes) {
    expect(weights(lossType, 8).join() === weights(lossType, 16).join()).toBe(lossType !== "dr_grpo");
  }
});

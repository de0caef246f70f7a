import { describe, expect, test } from "vitest";
import * as z from "zod";
import { advantageEstimators, algorithmSettings, rolloutAlgorithms } from "./index.ts";
import { tokenWeights } from "./token-weights.ts";

describe("what each algorithm is by default", () => {
  const rewards = [[1, 0, 0, 1, 0, 0, 0, 0]];
  const lengths = [2, 8];
  const defaultsOf = (name: keyof typeof rolloutAlgorithms) =>
    z.object(algorithmSettings(rolloutAlgorithms[name])).parse({});
  const stepOf = (name: keyof typeof rolloutAlgorithms) => {
    const o = defaultsOf(name);
    const group = { reward: rewards[0]!, rewards: {}, lengths: rewards[0]!.map(() => 1) };
    return {
      advantage: advantageEstimators[o.advantage].advantages([group], o, {})[0]![0],
      weights: tokenWeights(lengths, [false, false], { lossType: o.loss_type, maxCompletionLength: 10 }),
    };
  };

  test("grpo: over the group's deviation, each completion's mean", () => {
    expect(stepOf("grpo")).toEqual({ advantage: expect.closeTo(1.619835, 6), weights: [1 / 4, 1 / 16] });
  });

  test("dr_grpo: over neither deviation nor length (arXiv 2503.20783)", () => {
    expect(stepOf("dr_grpo")).toEqual({ advantage: 0.75, weights: [1 / 20, 1 / 20] });
  });
});

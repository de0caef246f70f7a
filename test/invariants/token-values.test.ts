/** Per-token weights and advantages: constant ones change nothing, different ones add up, wrong lengths are refused. */
import { afterAll, describe, expect, test } from "vitest";
import { plainVariant } from "../../src/algorithms/algorithm.ts";
import type { TokenBatch, TrainingCompletion } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { countTokens, sumPolicy } from "../../src/train/policy-metrics.ts";
import { caseOfEachFamily, goldenCase } from "../parity/golden.ts";
import { batchOf, differentiate, gradientDifference, madeCompletions, openGolden, textPrompt } from "./setup.ts";

const opened = caseOfEachFamily.map((name) => ({ name, on: openGolden(name) }));
afterAll(async () => {
  for (const { on } of opened) await on.compute.close();
});

const lengths = [5, 1, 4];

/** An off-policy batch with all terms, including an entropy bonus, with completions modified by `change`. */
function batch(on: (typeof opened)[number]["on"], change: (c: TrainingCompletion, i: number) => TrainingCompletion) {
  const completions = madeCompletions(lengths, "per token", on.model.language.vocabularySize);
  const all = [
    { prompt: on.golden.prompt, completions: completions.map((c, i) => change({ ...c, entropyWeight: 0.02 }, i)) },
    { prompt: textPrompt(on, 7), completions: completions.map((c, i) => change({ ...c, entropyWeight: 0.01 }, i)) },
  ];
  const made = batchOf(all);
  const loss = { ...made.loss, variant: { ...plainVariant, ...made.loss.variant, entropyBonus: true } };
  return { ...made, loss } satisfies TokenBatch;
}

const filled = (length: number, value: number) => new Float32Array(length).fill(value);

describe.each(opened)("values per token of $name", ({ on }) => {
  test("the same value at every token gives exactly the loss and gradients of the scalar", async () => {
    const one = await differentiate(on, [batch(on, (c) => c)]);
    const each = await differentiate(on, [
      batch(on, ({ weight, advantage, entropyWeight, ...c }) => ({
        ...c,
        weight: filled(c.tokenIds.length, weight as number),
        advantage: filled(c.tokenIds.length, advantage as number),
        entropyWeight: filled(c.tokenIds.length, entropyWeight as number),
      })),
    ]);
    expect(each).toEqual(one);
  });

  test("different values give the sum of each token's own contribution", async () => {
    const valuesOf = ({ tokenIds }: TrainingCompletion, i: number) => ({
      weight: Float32Array.from(tokenIds, (_, t) => 0.05 + 0.07 * t + 0.02 * i),
      advantage: Float32Array.from(tokenIds, (_, t) => (t % 2 === 0 ? 1 : -1) * (0.4 + 0.3 * t)),
      entropyWeight: Float32Array.from(tokenIds, (_, t) => 0.01 * (t + 1)),
    });
    const together = await differentiate(on, [batch(on, (c, i) => ({ ...c, ...valuesOf(c, i) }))]);
    const alone = Array.from({ length: Math.max(...lengths) }, (_, token) =>
      batch(on, (c, i) => {
        const { weight, advantage, entropyWeight } = valuesOf(c, i);
        const only = (values: Float32Array) => values.map((value, t) => (t === token ? value : 0));
        // The scalar applies to this token only, since the others have weight 0.
        return { ...c, weight: only(weight), advantage: advantage[token] ?? 0, entropyWeight: only(entropyWeight) };
      }),
    );
    const apart = await differentiate(on, alone);
    expect(Math.abs(together.loss - apart.loss)).toBeLessThan(1e-5);
    const { difference, name } = gradientDifference(together.gradients, apart.gradients);
    expect(difference, name).toBeLessThan(1e-4);
    // A permutation of tokens is a different batch.
    const reversed = await differentiate(on, [
      batch(on, (c, i) => ({ ...c, ...valuesOf(c, i), weight: valuesOf(c, i).weight.toReversed() })),
    ]);
    expect(gradientDifference(reversed.gradients, together.gradients).difference).toBeGreaterThan(1e-2);
  });
});

test("values whose length differs from the number of tokens are refused by name", async () => {
  const { checkpoint, prompt } = goldenCase("grouped_tied");
  const options = { modelFolder: checkpoint, initialise: "pretrained", seed: 0, freeze: [], threads: 1 } as const;
  const core = new LocalCore({ ...options, microBatchTokens: 1024, rows: 8 });
  try {
    const completion = { tokenIds: Int32Array.of(5, 6, 7), weight: 1, advantage: 1 };
    const of = (change: Partial<TrainingCompletion>) =>
      core.forwardBackward(batchOf([{ prompt, completions: [completion, { ...completion, ...change }] }]));
    await expect(of({ weight: filled(2, 1) })).rejects.toThrow(
      "forwardBackward: groups[0].completions[1].weight must have one value per token, 3, got 2",
    );
    await expect(of({ advantage: filled(4, 1) })).rejects.toThrow("completions[1].advantage must have");
    await expect(of({ entropyWeight: filled(0, 1) })).rejects.toThrow("completions[1].entropyWeight must have");
  } finally {
    await core.close();
  }
});

test("tokens of weight 0 count in no metric, and each token has its own sign of advantage", () => {
  const logProbs = [Float32Array.of(-1, -1, -1)];
  const completion = {
    tokenIds: Int32Array.of(1, 2, 3),
    weight: Float32Array.of(1, 0, 1),
    advantage: Float32Array.of(1, 1, -1),
    oldLogProbs: Float32Array.of(-2, -2, -2), // ratio e
  };
  const groups = [{ prompt: textPrompt(opened[0]!.on, 3), completions: [completion] }];
  const bounds = { low: 0.8, high: 1.2, epsilonLow: 0.2, epsilonHigh: 0.2 };
  const sums = sumPolicy(groups, { logProbs }, { bounds, level: "token" });
  expect([countTokens(groups), sums.ratios, sums.clippedHigh, sums.clippedLow]).toEqual([2, 2, 1, 0]);
});

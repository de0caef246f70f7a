/**
 * Observed tokens and images inside a completion are read as if they stood in its prompt: the loss, the log-probs and the
 * gradients are those of the policy's tokens behind a prompt that holds all the rest.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { TrainingCompletion, TrainingGroup } from "../../src/engine/engine.ts";
import { caseOfEachFamily, maxDifference } from "../parity/golden.ts";
import { batchOf, differentiate, gradientDifference, madeCompletions, openGolden, textPrompt } from "./setup.ts";

const opened = new Map(caseOfEachFamily.map((name) => [name, openGolden(name)]));
afterAll(async () => {
  for (const { compute } of opened.values()) await compute.close();
});

describe.each(caseOfEachFamily)("observations in completions of %s", (name) => {
  const on = opened.get(name)!;
  const { prompt } = on.golden;
  const start = textPrompt(on, 5);
  const own = madeCompletions([4, 7], "observed", on.model.language.vocabularySize);

  /** The golden prompt, images and all, observed in front of a completion's own tokens. */
  const observing = (completion: TrainingCompletion): TrainingCompletion => {
    const [seen, all] = [prompt.tokenIds.length, prompt.tokenIds.length + completion.tokenIds.length];
    const padded = (values: Float32Array) => Float32Array.from({ length: all }, (_, t) => values[t - seen] ?? 0);
    return {
      ...completion,
      tokenIds: Int32Array.from([...prompt.tokenIds, ...completion.tokenIds]),
      mask: Uint8Array.from({ length: all }, (_, t) => Number(t >= seen)),
      images: prompt.images,
      oldLogProbs: padded(completion.oldLogProbs!),
      refLogProbs: padded(completion.refLogProbs!),
    };
  };
  const whole = (completions: readonly TrainingCompletion[]): TrainingGroup => ({
    prompt: { ...prompt, tokenIds: Int32Array.from([...start.tokenIds, ...prompt.tokenIds]) },
    completions,
  });
  const observed: TrainingGroup = { prompt: start, completions: own.map(observing) };

  test.each(["clip", "supervised"] as const)("%s: loss, log-probs and gradients", async (loss) => {
    const found = await differentiate(on, [batchOf([observed], loss)]);
    const expected = await differentiate(on, [batchOf([whole(own)], loss)]);
    expect(Math.abs(found.loss - expected.loss)).toBeLessThan(1e-4);
    for (const [i, logProbs] of found.logProbs.entries()) {
      const seen = prompt.tokenIds.length;
      expect([...logProbs.subarray(0, seen)]).toEqual(new Array(seen).fill(0));
      expect(maxDifference(logProbs.subarray(seen), expected.logProbs[i]!)).toBeLessThan(1e-4);
    }
    const { difference, name: weight } = gradientDifference(found.gradients, expected.gradients);
    expect(difference, weight).toBeLessThan(1e-3);
  });

  test("rows of one completion each give the same as one row", async () => {
    const packed = await differentiate(on, [batchOf([observed])]);
    const separate = await differentiate(on, [batchOf([observed])], { microBatchTokens: 1 });
    expect(Math.abs(packed.loss - separate.loss)).toBeLessThan(1e-4);
    expect(gradientDifference(packed.gradients, separate.gradients).difference).toBeLessThan(1e-3);
  });
});

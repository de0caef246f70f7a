/** What is predicted in place has the log-probs and gradients of the same tokens as completions, and changes nothing else. */
import { afterAll, describe, expect, test } from "vitest";
import type { TrainingCompletion, TrainingGroup } from "../../src/engine/engine.ts";
import { scoreCompletions } from "../../src/engine/local/forward-backward.ts";

import { batchOf, differentiate, gradientDifference, listDifference, madeCompletions, openGolden } from "./setup.ts";

/** Packing knows no families; in the second, image features are added after several blocks. */
const cases = ["grouped_tied", "deepstack_tied"] as const;
const opened = new Map(cases.map((name) => [name, openGolden(name)]));
afterAll(async () => {
  for (const { compute } of opened.values()) await compute.close();
});

/** A completion with every value spelled out per token. */
const perToken = ({ tokenIds, weight, advantage, ...rest }: TrainingCompletion) => ({
  ...rest,
  tokenIds,
  weight: new Float32Array(tokenIds.length).fill(weight as number),
  advantage: new Float32Array(tokenIds.length).fill(advantage as number),
});

describe.each(cases)("predictions in place of %s", (name) => {
  const on = opened.get(name)!;
  const vocabulary = on.model.language.vocabularySize;
  const [made, other] = madeCompletions([6, 4], "in place", vocabulary).map(perToken) as [
    ReturnType<typeof perToken>,
    ReturnType<typeof perToken>,
  ];
  const { prompt } = on.golden;

  /** The prompt with all but the last token of a completion behind it, which it predicts where they stand. */
  const placed = (completion: ReturnType<typeof perToken>): TrainingGroup => {
    const before = prompt.tokenIds.length - 1;
    const behind = <A extends Int32Array | Float32Array>(values: A, fill: number): A => {
      const whole = new (values.constructor as new (n: number) => A)(before + values.length);
      whole.fill(fill, 0, before);
      whole.set(values as never, before);
      return whole;
    };
    const { tokenIds, weight, advantage, oldLogProbs, refLogProbs } = completion;
    const ids = behind(tokenIds, 7);
    const joined = new Int32Array(before + tokenIds.length);
    joined.set(prompt.tokenIds);
    joined.set(tokenIds.subarray(0, -1), before + 1);
    return {
      prompt: { ...prompt, tokenIds: joined },
      completions: [],
      inPlace: {
        tokenIds: ids,
        weight: behind(weight, 0),
        advantage: behind(advantage, 0),
        oldLogProbs: behind(oldLogProbs!, 0),
        refLogProbs: behind(refLogProbs!, 0),
      },
    };
  };

  test("equal those of completions", async () => {
    const expected = await differentiate(on, [
      batchOf([
        { prompt, completions: [made] },
        { prompt, completions: [other] },
      ]),
    ]);
    const found = await differentiate(on, [batchOf([placed(made), placed(other)])]);
    expect(Math.abs(found.loss - expected.loss)).toBeLessThan(1e-4);
    const tails = found.logProbs.map((own, i) => own.subarray(-expected.logProbs[i]!.length));
    expect(listDifference(tails, expected.logProbs)).toBeLessThan(1e-4);
    const { difference, name: worst } = gradientDifference(found.gradients, expected.gradients);
    expect(difference, worst).toBeLessThan(1e-3);
  });

  test("without a weight are scored, whatever they predict, and leave the others' gradients as they are", async () => {
    const alone = await differentiate(on, [batchOf([{ prompt, completions: [made, other] }])]);
    const targets = prompt.tokenIds.map((_, i) => (i * 31) % 300);
    const inPlace = { tokenIds: targets.slice(0, -1), weight: 0, advantage: 0 };
    const group: TrainingGroup = { prompt, completions: [made, other], inPlace };
    // Too small a micro-batch for both completions: the predictions in place are made once.
    for (const microBatchTokens of [4096, 1]) {
      const found = await differentiate(on, [batchOf([group])], { microBatchTokens });
      expect(found.logProbs.map(({ length }) => length)).toEqual([prompt.tokenIds.length - 1, 6, 4]);
      expect(listDifference(found.logProbs.slice(1), alone.logProbs)).toBeLessThan(1e-4);
      expect(gradientDifference(found.gradients, alone.gradients).difference).toBeLessThan(1e-3);
      const batch = batchOf([]);
      const scored = await scoreCompletions(on.compute, on.values, [group], batch.scoring, { microBatchTokens });
      expect(listDifference(scored.logProbs, found.logProbs)).toBeLessThan(1e-4);
      expect(Math.min(...found.logProbs[0]!)).toBeLessThan(-1);
    }
  });
});

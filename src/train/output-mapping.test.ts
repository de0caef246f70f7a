import { expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { integer, randomKey } from "../core/random.ts";
import { answerCounts, crossEntropy, frequencyMapping } from "./output-mapping.ts";

it("maps one answer to each class, whatever the counts", () => {
  for (let draw = 0; draw < 200; draw++) {
    const key = randomKey(draw, "counts");
    const classes = 1 + integer(key, 0, 5);
    const answers = classes + integer(key, 1, 4);
    const counts = Array.from({ length: answers }, (_, a) =>
      Array.from({ length: classes }, (_, c) => integer(key, 2 + a * classes + c, 3)),
    );
    const mapping = frequencyMapping(counts);
    expect(mapping).toHaveLength(classes);
    expect(new Set(mapping).size).toBe(classes);
    expect(mapping.every((answer) => answer >= 0 && answer < answers)).toBe(true);
  }
});

it("counts the likeliest answers, and differentiates the cross-entropy of their classes", () => {
  const counts = answerCounts([Float32Array.of(0, 2, 1), Float32Array.of(3, 0, 0)], [0, 1], 2);
  expect(counts).toEqual([
    [0, 1],
    [1, 0],
    [0, 0],
  ]);
  const scores = [0.3, -1.2, 0.8];
  const { gradient } = crossEntropy(scores, 1);
  for (const [i, value] of gradient.entries()) {
    const at = (by: number) =>
      crossEntropy(
        scores.map((score, j) => score + (i === j ? by : 0)),
        1,
      ).loss;
    expect(value).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 8);
  }
});

interface Golden {
  readonly argmax_counts_source_by_target: number[][];
  readonly mapping_target_to_source: number[];
}
itMatchesGolden<Golden>("reprogram", "the mapping by frequency", (golden) => {
  expect(frequencyMapping(golden.argmax_counts_source_by_target)).toEqual(golden.mapping_target_to_source);
});

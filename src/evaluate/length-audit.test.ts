import { describe, expect, it } from "vitest";
import { randomKey, uniform } from "../core/random.ts";
import { changedQuestions, type LengthPair, lengthAudit, type PairScore, PROMPTS } from "./length-audit.ts";
import { spearman } from "./rank-correlation.ts";

const words = (n: number) => Array.from({ length: n }, () => "word").join(" ");

/** 60 pairs whose better completion is longer in two of three. */
const pairs: readonly LengthPair[] = Array.from({ length: 60 }, (_, i) => {
  const [fewer, more] = [3 + (i % 5), 12 + (i % 7)];
  const [chosen, rejected] = i % 3 === 0 ? [fewer, more] : [more, fewer];
  return {
    ...{ subject: `s${i}`, question: `question ${i}` },
    chosen: { text: words(chosen), length: chosen },
    rejected: { text: words(rejected), length: rejected },
  };
});

function audited(score: (text: string, question: string, better: boolean) => number) {
  const scores = PROMPTS.map((change) => {
    const questions = changedQuestions(pairs, change, 0);
    const of = pairs.map(({ chosen, rejected }, i): PairScore => {
      return [score(chosen.text, questions[i]!, true), score(rejected.text, questions[i]!, false)];
    });
    return [change, of] as const;
  });
  const measures = lengthAudit(pairs, Object.fromEntries(scores));
  return Object.fromEntries(
    measures.map(({ name, condition, interval }) => [
      condition === null ? name : `${name}, ${condition}`,
      interval?.estimate ?? null,
    ]),
  );
}

const length = (text: string) => text.split(" ").length;

describe("the length audit", () => {
  it("of a constant score is a coin everywhere", () => {
    const { longer_wins_accuracy, score_length_spearman, score_length_spearman_given_better, ...shares } = audited(
      () => 1,
    );
    expect(Object.keys(shares).length).toBe(11);
    expect(Object.values(shares).every((value) => value === 0.5)).toBe(true);
    expect([score_length_spearman, score_length_spearman_given_better]).toEqual([null, null]);
    expect(longer_wins_accuracy).toBeCloseTo(2 / 3, 12);
  });

  it("of length itself is 1 where the longer is better, and 0 where it is not", () => {
    const found = audited(length);
    expect(found["accuracy_longer_better"]).toBe(1);
    expect(found["accuracy_shorter_better"]).toBe(0);
    expect(found["accuracy_balanced"]).toBe(0.5);
    expect(found["longer_preferred"]).toBe(1);
    expect(found["score_length_spearman"]).toBeCloseTo(1, 12);
    expect(found["score_length_spearman_given_better"]).toBeCloseTo(1, 9);
    expect(found["same_decision, prompt emptied"]).toBe(1);
    expect(found["length_instruction_accuracy, at most N words"]).toBe(0);
    expect(found["length_instruction_accuracy, at least N words"]).toBe(1);
  });

  it("of a score of being better alone has no correlation with length beyond it", () => {
    const found = audited((text, _, better) => (better ? 10 : 0) + uniform(randomKey(length(text), "noise"), 0) / 1e6);
    expect(found["accuracy"]).toBe(1);
    expect(found["accuracy_balanced"]).toBe(1);
    expect(Math.abs(found["score_length_spearman_given_better"]!)).toBeLessThan(0.35);
  });

  it("finds a score that needs its question", () => {
    const found = audited((_, question, better) => Number(question.startsWith("question") && better));
    expect(found["accuracy"]).toBe(1);
    expect(found["accuracy, prompt emptied"]).toBe(0.5);
    const questions = changedQuestions(pairs, "shuffled", 0);
    expect(questions.every((question, i) => question !== pairs[i]!.question)).toBe(true);
    expect(new Set(questions).size).toBe(pairs.length);
  });
});

describe("Spearman's correlation", () => {
  it("of rows that count twice is that of rows that stand there twice", () => {
    const [a, b, kinds, times] = [
      [1, 2, 2, 5, 3],
      [2, 1, 4, 4, 0],
      [0, 1, 0, 1, 0],
      [1, 2, 0, 3, 1],
    ];
    const repeated = <T>(values: readonly T[]) =>
      values.flatMap((value, i) => Array.from({ length: times[i]! }, () => value));
    const ones = new Float64Array(7).fill(1);
    for (const classes of [null, kinds]) {
      const whole = spearman(repeated(a), repeated(b), classes === null ? null : repeated(classes));
      expect(spearman(a, b, classes)(times)).toBeCloseTo(whole(ones), 12);
    }
  });

  it("equals the published formula without ties", () => {
    const [a, b] = [
      [3, 1, 4, 2, 5],
      [9, 7, 10, 8, 6],
    ];
    // 1 - 6 sum d² / n (n² - 1): d of the ranks 3 1 4 2 5 and 4 2 5 3 1
    expect(spearman(a, b, null)(new Float64Array(5).fill(1))).toBeCloseTo(
      1 - (6 * (1 + 1 + 1 + 1 + 16)) / (5 * 24),
      12,
    );
  });
});

import { describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { integer, pick, randomKey } from "../core/random.ts";
import type { Completion, Example } from "../core/records.ts";
import { accuracy } from "./accuracy.ts";
import { format } from "./format.ts";
import { buildRewards, combineRewards, type Reward, rewards, scoreGroup } from "./index.ts";

const yes: Example = {
  id: "e1",
  subjectId: "s1",
  question: "Is there an opacity?",
  images: [],
  answer: "Yes",
  answerType: "closed",
  choices: [],
  meta: {},
};
const examples: readonly Example[] = [
  yes,
  { ...yes, answerType: "open", answer: "Liver, Heart and 2.0" },
  { ...yes, answerType: "closed", answer: "Left" },
  { ...yes, answerType: "choice", answer: "right lung", choices: ["left lung", "right lung", "A"] },
];

function completions(...texts: readonly string[]): Completion[] {
  return texts.map((text) => ({
    tokenIds: new Int32Array(0),
    logProbs: new Float32Array(0),
    text,
    finishReason: "stop",
    policyVersion: 0,
  }));
}

const good = "<think>The right lung shows it.</think> <answer>yes</answer>";

describe("accuracy", () => {
  it("judges the tagged answer, gated by the format where asked", () => {
    const texts = completions(good, "<answer>yes</answer>", "The answer is yes.", "<answer>no</answer>");
    expect(accuracy().score(yes, texts)).toEqual([1, 1, 0, 0]);
    expect(accuracy({ lenient: true }).score(yes, texts)).toEqual([1, 1, 1, 0]);
    expect(accuracy({ gate_by_format: true }).score(yes, texts)).toEqual([1, 0, 0, 0]);
    const opened = completions(good.slice("<think>".length));
    expect(accuracy({ gate_by_format: true }, { thinkOpened: true }).score(yes, opened)).toEqual([1]);
  });

  it("shows where the answer stands", () => {
    const [found, none, both] = accuracy().evidence!(yes, completions(good, "yes", "<answer>yes, no</answer>"));
    const start = good.indexOf("yes</answer>");
    expect(found).toEqual([{ reward: "accuracy", start, end: start + 3, label: "answer", verdict: true }]);
    expect(none).toEqual([]);
    expect(both![0]!.verdict).toBe("unknown");
  });
});

describe("format", () => {
  it("scores each style", () => {
    const texts = completions(good, "<answer>yes</answer>", "yes");
    expect(format().score(yes, texts)).toEqual([1, 0, 0]);
    expect(format({}, { style: "answer_only" }).score(yes, texts)).toEqual([0, 1, 0]);
    expect(format({ style: "tags" }).score(yes, texts)).toEqual([1, 0.5, 0]);
    expect(() => format({}, { style: "plain" })).toThrow(UserError);
  });
});

describe("buildRewards", () => {
  it("reads weights and options", () => {
    const built = buildRewards({ accuracy: 2, format: { weight: 0.5, style: "tags" } });
    expect(built.map(({ reward, weight }) => [reward.name, weight])).toEqual([
      ["accuracy", 2],
      ["format", 0.5],
    ]);
  });

  it.each([
    [{ acuracy: 1 }, /unknown reward "acuracy" \(did you mean "accuracy"\?\)/],
    [{ toString: 1 }, /unknown reward "toString"/],
    [{ accuracy: { weight: 1, leniant: true } }, /unknown option "leniant"; did you mean "lenient"\?/],
    [{ accuracy: { weight: 1, open: "fuzzy" } }, /reward "accuracy": option "open"/],
    [{ accuracy: Number.NaN }, /weight must be a finite number/],
    [{ accuracy: { lenient: true } as never }, /weight must be a finite number, got undefined/],
  ])("refuses %j", (spec, message) => {
    expect(() => buildRewards(spec)).toThrow(UserError);
    expect(() => buildRewards(spec)).toThrow(message);
  });
});

describe("combineRewards and scoreGroup", () => {
  it("skips null, and gives null when all are", () => {
    const scores = { a: [1, null, null], b: [0.5, 0.5, null] };
    expect(combineRewards(scores, { a: 2, b: 1 })).toEqual([2.5, 0.5, null]);
  });

  it("scores a group and stops at a value that is not finite", async () => {
    const scored = await scoreGroup(buildRewards({ accuracy: 1, format: 0.5 }), yes, completions(good, "yes"));
    expect(scored).toEqual({ rewards: { accuracy: [1, 0], format: [1, 0] }, reward: [1.5, 0] });
    const broken: Reward = { name: "broken", score: (_, all) => all.map(() => Number.NaN) };
    await expect(scoreGroup([{ reward: broken, weight: 1 }], yes, completions(good))).rejects.toThrow(
      'reward "broken": gave NaN for completion 0 of "e1"',
    );
  });
});

describe("every reward, on any text", () => {
  const pieces = [
    ..."<think> </think> <answer> </answer> answer answer: is yes no not none present A B. (C) left lung right , and 2.0".split(
      " ",
    ),
    ..."\n \u200b \u0000 \ud800 🫁 İ 1,000 ½ % <5 -3 ' *".split(" "),
    " ",
  ];
  function randomText(i: number): string {
    const key = randomKey(3, "text", i);
    const parts = Array.from({ length: integer(key, 0, 24) }, (_, j) => pick(key, j + 1, pieces));
    return parts.join(i % 2 === 0 ? " " : "");
  }
  const texts = completions("", ...Array.from({ length: 1500 }, (_, i) => randomText(i)), "x ".repeat(100_000));
  const variants: readonly [string, Reward][] = [
    ["accuracy", rewards.accuracy()],
    ["accuracy, lenient f1", rewards.accuracy({ lenient: true, open: "f1", graded: true })],
    ["accuracy, plain contains", rewards.accuracy({ style: "plain", open: "contains" })],
    ["format", rewards.format()],
    ["format, tags", rewards.format({ style: "tags", think_opened: true })],
  ];
  it.each(variants)("%s stays in [0, 1], repeats itself, and points into the text", async (_, reward) => {
    for (const example of examples) {
      const scores = await reward.score(example, texts);
      expect(scores).toHaveLength(texts.length);
      expect(scores.every((score) => score !== null && score >= 0 && score <= 1)).toBe(true);
      expect(await reward.score(example, texts.toReversed())).toEqual(scores.toReversed());
      for (const [i, found] of (reward.evidence?.(example, texts) ?? []).entries()) {
        for (const { start, end } of found) {
          expect(start >= 0 && start < end && end <= texts[i]!.text.length).toBe(true);
        }
      }
    }
  });
});

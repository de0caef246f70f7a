import { describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import type { Completion, Example } from "../core/records.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { accuracy } from "./accuracy.ts";
import { format } from "./format.ts";
import { buildRewards, combineRewards, type Reward, rewardsAt, scoreGroup } from "./index.ts";

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

  it("pays nothing for an answer inside a thought that the prompt opened and nobody closed", () => {
    const texts = completions("so <answer>yes</answer>", "so</think><answer>yes</answer>");
    expect(accuracy({}, { thinkOpened: true }).score(yes, texts)).toEqual([0, 1]);
    expect(accuracy({}, { thinkOpened: false }).score(yes, texts)).toEqual([1, 1]);
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

  it("pays nothing for an empty answer", () => {
    const texts = completions("<think>x</think><answer></answer>", "<think>x</think><answer> . </answer>");
    expect(format().score(yes, texts)).toEqual([0, 0]);
    expect(format({ style: "tags" }).score(yes, texts)).toEqual([0.5, 0.5]);
  });
});

describe("synonyms of open answers", () => {
  const open: Example = { ...yes, answerType: "open", answer: "Cardiomegaly" };
  const vocabulary = openVocabulary(null);
  const said = completions(
    "<answer>An enlarged heart</answer>",
    "<answer>heart</answer>",
    "<answer>no cardiomegaly</answer>",
  );
  it("count as the same words where there is a vocabulary", () => {
    expect(accuracy({}, { vocabulary }).score(open, said)).toEqual([1, 0, 0]);
    expect(accuracy({ synonyms: false }, { vocabulary }).score(open, said)).toEqual([0, 0, 0]);
    expect(accuracy({}, {}).score(open, said)).toEqual([0, 0, 0]);
  });

  it("keep the sides", () => {
    const left: Example = { ...open, answer: "Left renal cyst" };
    const texts = completions("<answer>left kidney cyst</answer>", "<answer>right kidney cyst</answer>");
    expect(accuracy({}, { vocabulary }).score(left, texts)).toEqual([1, 0]);
    expect(accuracy({ open: "f1" }, { vocabulary }).score(left, texts)).toEqual([1, 2 / 3]);
    const lung: Example = { ...open, answer: "Lower left lung" };
    expect(accuracy({}, { vocabulary }).score(lung, completions("<answer>lower right lung</answer>"))).toEqual([0]);
  });

  it("list in any order, with abbreviations", () => {
    const list: Example = { ...open, answer: "Lung, X-Ray" };
    expect(accuracy({}, { vocabulary }).score(list, completions("<answer>radiograph, lung</answer>"))).toEqual([1]);
    const pneumonia: Example = { ...open, answer: "RLL pneumonia" };
    const said = completions(
      "<answer>right lower lobe pneumonia</answer>",
      "<answer>left lower lobe pneumonia</answer>",
    );
    expect(accuracy({}, { vocabulary }).score(pneumonia, said)).toEqual([1, 0]);
  });
});

describe("buildRewards", () => {
  it("reads weights and options, and names", async () => {
    const built = await buildRewards({
      accuracy: 2,
      tags: { weight: 0.5, reward: "format", style: "tags" },
      strict: { weight: 0, reward: "accuracy" },
    });
    expect(built.map(({ reward, weight }) => [reward.name, weight])).toEqual([
      ["accuracy", 2],
      ["tags", 0.5],
      ["strict", 0],
    ]);
    expect(built[2]!.reward.evidence!(yes, completions(good))[0]![0]!.reward).toBe("strict");
    expect(await built[1]!.reward.score(yes, completions("<answer>yes</answer>"))).toEqual([0.5]);
  });

  it("moves a weight in a straight line, by the step alone", async () => {
    const weight = { from: 1, to: 0.2, steps: 4, start: 2 };
    const built = await buildRewards({ accuracy: { weight }, format: 0.5 });
    const at = (step: number) => rewardsAt(built, step).map((reward) => reward.weight);
    expect(at(0)).toEqual([1, 0.5]);
    expect(at(2)).toEqual([1, 0.5]);
    expect(at(4)[0]).toBeCloseTo(0.6, 12);
    expect(at(6)).toEqual([0.2, 0.5]);
    expect(at(1000)).toEqual([0.2, 0.5]);
  });

  it.each([
    [{ acuracy: 1 }, /unknown reward "acuracy" \(did you mean "accuracy"\?\)/],
    [{ toString: 1 }, /unknown reward "toString"/],
    [{ mine: { weight: 1, reward: "kimmi" } }, /unknown reward "kimmi" \(did you mean "kimi"\?\)/],
    [{ accuracy: { weight: 1, leniant: true } }, /unknown option "leniant"; did you mean "lenient"\?/],
    [{ accuracy: { weight: 1, open: "fuzzy" } }, /reward "accuracy": option "open"/],
    [{ accuracy: Number.NaN }, /weight must be a finite number/],
    [{ accuracy: { lenient: true } as never }, /weight must be a finite number, got undefined/],
    [{ accuracy: { weight: { from: 1, to: 0, steps: 0 } } }, /weight.steps must be a whole number of at least 1/],
    [{ accuracy: { weight: { from: 1, steps: 5 } as never } }, /needs the numbers from and to/],
    [{ ecr: 1 }, /reward "ecr": cap must be given/],
    [{ soft_overlong: { weight: 1, max_length: 5, soft_punish_cache: 9 } }, /must not be above max_length 5/],
    [{ semantic: 1 }, /scorer must be one of judge, embedding, concepts, got nothing/],
    [{ semantic: { weight: 1, scorer: "concepts" } }, /needs a vocabulary/],
    [
      { semantic: { weight: 1, scorer: "judge", base_url: "http://x", model: "m", prompt: "{raionale}" } },
      /placeholder/,
    ],
  ])("refuses %j", async (spec, message) => {
    await expect(buildRewards(spec)).rejects.toThrow(UserError);
    await expect(buildRewards(spec)).rejects.toThrow(message);
  });
});

describe("combineRewards and scoreGroup", () => {
  it("skips null, and gives null when all are", () => {
    const scores = { a: [1, null, null], b: [0.5, 0.5, null] };
    expect(combineRewards(scores, { a: 2, b: 1 })).toEqual([2.5, 0.5, null]);
  });

  it("scores a group and stops at a value that is not finite or outside the range", async () => {
    const built = rewardsAt(await buildRewards({ accuracy: 1, format: 0.5 }), 0);
    const scored = await scoreGroup(built, yes, completions(good, "yes"));
    expect(scored).toEqual({ rewards: { accuracy: [1, 0], format: [1, 0] }, reward: [1.5, 0] });
    const broken: Reward = { name: "broken", score: (_, all) => all.map(() => Number.NaN) };
    await expect(scoreGroup([{ reward: broken, weight: 1 }], yes, completions(good))).rejects.toThrow(
      'reward "broken": gave NaN for completion 0 of "e1"',
    );
    const loud: Reward = { name: "loud", range: [0, 1], score: (_, all) => all.map(() => 1.5) };
    await expect(scoreGroup([{ reward: loud, weight: 1 }], yes, completions(good))).rejects.toThrow(
      'reward "loud": gave 1.5 for completion 0 of "e1", outside [0, 1]',
    );
  });
});

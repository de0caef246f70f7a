/** Variants of a question are compared with each other; offsets of a text become tokens; shaped advantages are chosen by. */
import { describe, expect, test } from "vitest";
import type { Completion, Example } from "../core/records.ts";
import { tokensUpTo, withAdvantages } from "./advantages.ts";
import type { ScoredSample } from "./collect.ts";
import { type RolloutSettings, rolloutSettings } from "./settings.ts";

/** Two letters a token. */
const processor = { decode: (ids: ArrayLike<number>) => "x".repeat(2 * ids.length) };
const context = { processor, prompt: { style: "plain", system: null, user: "{question}" } as const };
const reward = (name: string, weight = 1) => ({ weight, reward: { name, score: () => [] } });

function sample(
  id: string,
  variant: string | null,
  rewards: readonly number[],
  steps?: ScoredSample["steps"],
): ScoredSample {
  const example: Example = {
    ...{ id, subjectId: id, question: "?", images: [], answer: "a", answerType: "open", choices: [], meta: {} },
    ...(variant === null ? {} : { variant: { name: variant, instruction: "" } }),
  };
  const completion: Completion = {
    ...{ tokenIds: Int32Array.of(1, 2, 3, 4), logProbs: new Float32Array(4), text: "xxxxxxxx" },
    ...{ finishReason: "stop", policyVersion: 0 },
  };
  return {
    ...{ example, prompt: { text: "", tokenIds: Int32Array.of(1), images: [] } },
    ...{
      completions: rewards.map(() => completion),
      rewards: { accuracy: rewards, checklist: rewards },
      reward: rewards,
    },
    ...(steps === undefined ? {} : { steps }),
  };
}

const run = (samples: readonly ScoredSample[], change: Partial<RolloutSettings>) =>
  withAdvantages(context, samples, [reward("accuracy"), reward("checklist", 0)], rolloutSettings("grpo", change), {
    ...{ index: 0, step: 7 },
  }).groups;

describe("withAdvantages", () => {
  test("variants of one question share their outcome's mean and stay groups of their own", () => {
    const groups = run([sample("q", "a", [1, 1]), sample("q", "b", [0, 0]), sample("r", null, [1, 0])], {
      scale_rewards: "none",
    });
    expect(groups.map(({ advantages }) => advantages)).toEqual([
      [0.5, 0.5],
      [-0.5, -0.5],
      [0.5, -0.5],
    ]);
    expect(groups.map(({ id, parent, variant }) => [id, parent, variant])).toEqual([
      ["7/0", "q", "a"],
      ["7/1", "q", "b"],
      ["7/2", undefined, undefined],
    ]);
  });

  test("the same question twice in a step is two questions", () => {
    const twice = [
      sample("q", "a", [1, 1]),
      sample("q", "b", [1, 1]),
      sample("q", "a", [0, 0]),
      sample("q", "b", [0, 0]),
    ];
    for (const { advantages } of run(twice, {})) expect(advantages).toEqual([0, 0]);
  });

  test("a choice of completions spans the variants of a question", () => {
    const groups = run([sample("q", "a", [0, 0]), sample("q", "b", [1, 0])], { train_completions: 2 });
    expect(groups.map(({ chosen }) => chosen)).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  test("parts that end in the text pay tokens, and the largest of them are chosen", () => {
    const steps = { checklist: [[{ end: 2, score: 1 }], [{ end: 8, score: 0 }], [{ end: 8, score: 0 }]] };
    const [group] = run([sample("q", null, [0, 0, 0], steps)], {
      ...{ shaping: "process", train_completions: 1, train_selection: "max_advantage" },
    });
    const [first, second] = group!.advantages as readonly Float32Array[];
    expect([...first!].map((value) => Math.sign(value))).toEqual([1, 0, 0, 0]); // "xx" is the first token
    expect([...second!].map((value) => Math.sign(value))).toEqual([-1, -1, -1, -1]);
    expect(group!.chosen).toEqual([false, true, false]);
  });
});

test("an offset is reached by the first token whose text is as long", () => {
  const ids = Int32Array.of(1, 2, 3, 4);
  expect([0, 1, 2, 3, 8, 99].map((offset) => tokensUpTo(processor, ids, offset))).toEqual([1, 1, 1, 2, 4, 4]);
});

/** CRPO's reward against the golden, its bounds, and its parts apart. */
import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { UserError } from "../core/errors.ts";
import type { Completion, Example } from "../core/records.ts";
import { crpo } from "./crpo.ts";
import { buildRewards } from "./index.ts";

const choice: Example = {
  ...{ id: "q", subjectId: "q", question: "What is it?", images: [], answer: "nodule", answerType: "choice" },
  ...{ choices: ["nodule", "mass"], answerIndex: 0, meta: {} },
};
const closed: Example = { ...choice, answer: "Yes", answerType: "closed", choices: [], answerIndex: undefined };

const completions = (...texts: readonly string[]): Completion[] =>
  texts.map((text) => {
    const none = { tokenIds: new Int32Array(0), logProbs: new Float32Array(0) };
    return { ...none, text, finishReason: "stop", policyVersion: 0 };
  });
const scores = (options: object, example: Example, ...texts: readonly string[]) =>
  crpo(options as never).score(example, completions(...texts)) as readonly number[];

interface Golden {
  readonly cases: readonly {
    readonly text: string;
    readonly accuracy: number;
    readonly format: number;
    readonly english: number;
    readonly total: number;
  }[];
}

itMatchesGolden<Golden>("crpo", "the parts and their sum", ({ cases }) => {
  for (const { text, total, ...parts } of cases) {
    const boxed = { answer: "boxed", accuracy_floor: null };
    expect(scores(boxed, choice, text)[0], text).toBeCloseTo(total, 7);
    for (const [part, value] of Object.entries(parts)) {
      expect(scores({ ...boxed, part }, choice, text)[0], `${part} of ${text}`).toBeCloseTo(value, 9);
    }
  }
});

describe("crpo", () => {
  const think = "<think>x</think>";

  it("is 12 at most, and says so", () => {
    const reward = crpo();
    expect(reward.range).toEqual([-10, 12]);
    expect(scores({}, closed, `${think}<answer>Yes, there is</answer>`)).toEqual([12]);
    expect(crpo({ accuracy_floor: null }).range).toEqual([Number.NEGATIVE_INFINITY, 12]);
    expect(crpo({ part: "format" }).range).toEqual([0, 1.5]);
  });

  it("reads viva's own tag unless told otherwise: one answer, readable, closed", () => {
    const accuracy = { part: "accuracy", accuracy_floor: null };
    const texts = ["Yes", "no", "it", "Yes</answer><answer>no"].map((said) => `${think}<answer>${said}</answer>`);
    expect(scores(accuracy, closed, ...texts, "<answer>Yes", "Yes")).toEqual([1, 0, -0.5, -2, -1, 0]);
  });

  it("loses no more than the floor to a completion with many answers", () => {
    const many = `${think}<answer>${"<answer>Yes</answer>".repeat(9)}`;
    expect(scores({ part: "accuracy" }, closed, many)).toEqual([-1]);
    expect(scores({ part: "accuracy", accuracy_floor: -3 }, closed, many)).toEqual([-3]);
    expect(scores({ part: "accuracy", accuracy_floor: null }, closed, many)).toEqual([-10]);
  });

  it("supplies a thought that the template opened", () => {
    expect(scores({ think_opened: true, part: "format" }, closed, "x</think><answer>Yes</answer>")).toEqual([1]);
    expect(
      crpo({ part: "format" }, { thinkOpened: true }).score(closed, completions("x</think><answer>Yes</answer>")),
    ).toEqual([1]);
    expect(scores({ part: "format" }, closed, "x</think><answer>Yes</answer>")).toEqual([0]);
  });

  it("is decoupled by naming its parts one by one", async () => {
    const built = await buildRewards({
      crpo_accuracy: { weight: 10, reward: "crpo", part: "accuracy" },
      crpo_format: { weight: 1, reward: "crpo", part: "format" },
      crpo_english: { weight: 0.5, reward: "crpo", part: "english" },
    });
    const text = `${think}<answer>Yes, there is</answer>`;
    const parts = await Promise.all(built.map(({ reward }) => reward.score(closed, completions(text))));
    const sum = built.reduce((total, { weight }, i) => total + (weight as number) * parts[i]![0]!, 0);
    expect(sum).toBe(scores({}, closed, text)[0]);
  });

  it("refuses options that it does not have", async () => {
    await expect(buildRewards({ crpo: { weight: 1, lenient: true } })).rejects.toThrow(UserError);
    await expect(buildRewards({ crpo: { weight: 1, accuracy_floor: 2 } })).rejects.toThrow('option "accuracy_floor"');
  });
});

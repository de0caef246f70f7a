import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Completion, Example } from "../core/records.ts";
import { cosine } from "./cosine.ts";
import { cwr } from "./cwr.ts";
import { ecr } from "./ecr.ts";
import { format } from "./format.ts";
import { kimi } from "./kimi.ts";
import { repetition } from "./repetition.ts";
import type { Reward } from "./reward.ts";
import { softOverlong } from "./soft-overlong.ts";

const example: Example = {
  id: "e",
  subjectId: "s",
  question: "Is there an effusion?",
  images: [],
  answer: "Yes",
  answerType: "closed",
  choices: [],
  meta: {},
};

function completion(tokenIds: ArrayLike<number>, text = ""): Completion {
  return {
    tokenIds: Int32Array.from(tokenIds),
    logProbs: new Float32Array(tokenIds.length),
    text,
    finishReason: "stop",
    policyVersion: 0,
  };
}

const right = "<think>a</think><answer>yes</answer>";
const wrong = "<think>a</think><answer>no</answer>";
const ofLength = (text: string) => (length: number) => completion(new Array<number>(length).fill(1), text);

async function scores(reward: Reward, completions: readonly Completion[]): Promise<readonly number[]> {
  return (await reward.score(example, completions)) as readonly number[];
}

function expectClose(given: readonly number[], wanted: readonly number[], tolerance = 1e-6): void {
  expect(given).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(Math.abs(given[i]! - value)).toBeLessThanOrEqual(tolerance);
}

describe("the vectors of the definitions", () => {
  it("cosine, with a limit of 100 tokens", async () => {
    const lengths = [0, 25, 50, 75, 100, 150];
    const reward = cosine({ max_length: 100 });
    expectClose(await scores(reward, lengths.map(ofLength(right))), [1, 0.926777, 0.75, 0.573223, 0.5, 0.5]);
    expectClose(await scores(reward, lengths.map(ofLength(wrong))), [-1, -0.926777, -0.75, -0.573223, -0.5, -0.5]);
  });

  it("soft_overlong, with a limit of 100 tokens and 20 before it", async () => {
    const reward = softOverlong({ max_length: 100, soft_punish_cache: 20 });
    expectClose(await scores(reward, [80, 85, 90, 100, 101].map(ofLength(right))), [0, -0.25, -0.5, -1, -1]);
    expect(softOverlong({}, { maxCompletionLength: 100 }).score(example, [ofLength(right)(90)])).toEqual([-0.5]);
  });

  it("repetition of five equal tokens in pairs", async () => {
    expectClose(await scores(repetition({ ngram_size: 2 }), [completion([5, 5, 5, 5, 5])]), [-0.75]);
  });
});

describe("chains", () => {
  it("earn by their tokens up to the cap, weighted by correctness in cwr", async () => {
    const group = [ofLength(right)(10), ofLength(wrong)(10), ofLength(right)(500)];
    expectClose(await scores(ecr({ cap: 100 }), group), [0.01, 0.01, 0.1]);
    expectClose(await scores(cwr({ cap: 100 }), group), [0.01, 0, 0.1]);
    expectClose(await scores(cwr({ alpha: 0.01 }, { maxCompletionLength: 20 }), group), [0.1, 0, 0.2]);
    expect(cwr({ alpha: 0.01 }, { maxCompletionLength: 20 }).range).toEqual([0, 0.2]);
  });

  it("count as wrong where the answer cannot be read", async () => {
    expectClose(await scores(cwr({ cap: 100 }), [ofLength("yes")(10)]), [0]);
    expectClose(await scores(cwr({ cap: 100, lenient: true }), [ofLength("yes")(10)]), [0.01]);
    expectClose(await scores(cosine({ max_length: 100 }), [ofLength("yes")(0)]), [-1]);
  });
});

describe("kimi", () => {
  it("compares lengths within the group: short right answers gain, long ones and wrong ones do not", async () => {
    const group = [
      ofLength(right)(10),
      ofLength(right)(20),
      ofLength(right)(30),
      ofLength(wrong)(10),
      ofLength(wrong)(30),
    ];
    expectClose(await scores(kimi(), group), [0.5, 0, -0.5, 0, -0.5]);
  });

  it("says nothing of a group of one length", async () => {
    expect(await scores(kimi(), [ofLength(right)(7), ofLength(wrong)(7)])).toEqual([0, 0]);
    expect(await scores(kimi(), [])).toEqual([]);
  });
});

describe("TRL's own functions", () => {
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, "../../test/golden/rewards.json"), "utf8"));

  it("soft_overlong is get_soft_overlong_punishment", async () => {
    for (const { max_length, soft_punish_cache, lengths, values } of golden.soft_overlong) {
      expectClose(
        await scores(softOverlong({ max_length, soft_punish_cache }), lengths.map(ofLength(right))),
        values,
        1e-12,
      );
    }
  });

  it("repetition is get_repetition_penalty_reward", async () => {
    for (const { ngram_size, ids, values } of golden.repetition) {
      const given = (ids as number[][]).map((own) => completion(own));
      expectClose(await scores(repetition({ ngram_size }), given), values, 1e-12);
    }
  });

  it("format is stricter than think_format_reward, which asks nothing of what follows the thought", async () => {
    const texts: readonly { text: string; value: number }[] = golden.think_format;
    const own = await scores(
      format(),
      texts.map(({ text }) => completion([1], text)),
    );
    for (const [i, { value }] of texts.entries()) if (own[i] === 1) expect(value).toBe(1);
    const onlyTheirs = texts.filter(({ value }, i) => value === 1 && own[i] === 0).map(({ text }) => text);
    expect(onlyTheirs).toEqual([
      "<think>a</think>b",
      "<think>a</think>",
      "<think>a</think>x<answer>b</answer>",
      "<think>a</think><answer>b</answer> ",
    ]);
  });
});

/** What every reward promises for whatever a model writes: no exception, no NaN, its range, and time linear in the text. */
import { describe, expect, it } from "vitest";
import { integer, pick, randomKey } from "../core/random.ts";
import type { Completion, Example } from "../core/records.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { type RewardContext, type RewardServices, rewards } from "./index.ts";
import type { Reward } from "./reward.ts";

const base: Example = {
  id: "e1",
  subjectId: "s1",
  question: "Is there an opacity?",
  images: [],
  answer: "Yes",
  answerType: "closed",
  choices: [],
  rationale: "There is an opacity in the left lung and no effusion.",
  meta: {},
};

const { rationale: _, ...withoutRationale } = base;
const examples: readonly Example[] = [
  base,
  { ...withoutRationale, answerType: "open", answer: "Liver, Heart and 2.0" },
  { ...base, answerType: "closed", answer: "Left" },
  { ...base, answerType: "choice", answer: "right lung", choices: ["left lung", "right lung", "A"] },
  { ...base, answerType: "multi", answer: "A,C", choices: ["nodule", "effusion", "opacity"] },
  { ...base, answerType: "numeric", answer: "24 mm", target: { value: 24, unit: "mm", tolerance: 3 } },
  { ...base, answer: "", rationale: " ", question: "" },
  { ...base, answerType: "multi", answer: "A,C", choices: ["left lung", "right lung", "A"] },
  { ...base, answerType: "numeric", answer: "12 mm", target: { value: 12, unit: "mm" } },
  { ...base, answerType: "numeric", answer: "9 months", target: { value: 9, unit: "months", event: true } },
  {
    ...base,
    facts: { modality: "x-ray", organ: "chest", findings: [{ finding: "opacity", side: "left", place: "lower zone" }] },
  },
];

/** A judge that says anything, and an encoder that gives any vector, the zero vector included. */
const services: RewardServices = {
  readYaml: () => {
    throw new Error("no files here");
  },
  openChat: () => ({
    complete: async (messages) => {
      const { content } = messages[0]!;
      const text = content.map((part) => (part.type === "text" ? part.text : "")).join("");
      return pick(randomKey(1, "reply", text.length), 0, ["VERDICT: YES", "Verdict: no", "yes", "", "maybe", "{}"]);
    },
  }),
  openEncoder: async () => ({
    encode: async (texts) =>
      texts.map((text) => {
        const key = randomKey(2, "vector", text.length);
        return Float32Array.from({ length: 4 }, (_, i) => (text.length % 7 === 0 ? 0 : integer(key, i, 9) - 4));
      }),
  }),
  openScorer: async (folder) => ({
    folder,
    score: async (_, completions) =>
      completions.map(({ text }) => (text.length % 5 === 0 ? null : Math.sin(text.length))),
  }),
};

const context: RewardContext = { maxCompletionLength: 64, vocabulary: openVocabulary(null), services };
const endpoint = { scorer: "judge", base_url: "http://localhost", model: "m" };

/** At least one of every reward; a reward that is missing here fails the last test. */
const variants: readonly (readonly [keyof typeof rewards, object])[] = [
  ["accuracy", {}],
  ["accuracy", { lenient: true, open: "f1", graded: true }],
  ["accuracy", { style: "plain", open: "contains", gate_by_format: true }],
  ["answer_prose", {}],
  [
    "checklist",
    {
      rules: [
        { id: "a", kind: "goal", check: "fact", claims: ["finding", "side"] },
        { id: "b", kind: "goal", check: "fact", claims: ["negation"], after: ["a"] },
        { id: "c", kind: "goal", check: "judge", ask: "Is it sound?" },
        { id: "d", kind: "constraint", check: "pattern", pattern: "left", after: ["a"] },
        { id: "e", kind: "constraint", check: "fact" },
      ],
      judge: { base_url: "http://localhost", model: "m" },
    },
  ],
  ["choice_set", { lenient: true }],
  ["numeric", { scale: 5, log: true, lenient: true }],
  ["rationale", {}],
  ["rationale", { style: "reasoning_prediction" }],
  ["survival", { months: { scale: 6 } }],
  ["survival_status", { lenient: true, style: "reasoning_prediction" }],
  ["cosine", {}],
  ["crpo", {}],
  ["crpo", { answer: "boxed", accuracy_floor: -3 }],
  ["cwr", { lenient: true }],
  ["ecr", { alpha: 0.1 }],
  ["english", {}],
  ["facts", {}],
  ["format", {}],
  ["format", { style: "tags", think_opened: true }],
  ["kimi", {}],
  ["repetition", { ngram_size: 2 }],
  ["reward_model", { path: "runs/rm" }],
  ["semantic", endpoint],
  ["semantic", { scorer: "embedding", encoder: "x" }],
  ["semantic", { scorer: "embedding", encoder: "x", of: "answer", reference: "answer" }],
  ["semantic", { scorer: "concepts" }],
  ["semantic", { scorer: "concepts", of: "answer" }],
  ["soft_overlong", {}],
  ["tool_use", {}],
  ["tool_use", { formula: "deepeyes", lenient: true }],
];

/** A learned score has no bounds. */
const unbounded: readonly string[] = ["reward_model"];

function build([name, options]: readonly [keyof typeof rewards, object]): Promise<Reward> {
  return Promise.resolve(rewards[name](options as never, context));
}

function completion(text: string, tokens = text.length): Completion {
  const tokenIds = Int32Array.from({ length: tokens }, (_, i) => text.charCodeAt(i % Math.max(1, text.length)) || 0);
  return { tokenIds, logProbs: new Float32Array(0), text, finishReason: "stop", policyVersion: 0 };
}

const pieces = [
  ..."<think> </think> <answer> </answer> <think <answer answer answer: is yes no not none present A B. (C)".split(" "),
  ..."left right both , and no. effusion opacity lung without but cannot exclude 2.0 CXR PTX pneumothoraces".split(" "),
  ..."\n \u200b \u200f \u202e \u202c \u0000 \ud800 \udfff 🫁 İ ß ﬁ ½ ² % <5 -3 ' ’ * : ; شمال أيسر ימין e\u0301".split(
    " ",
  ),
  " ",
  "\t",
];

function randomText(i: number): string {
  const key = randomKey(3, "text", i);
  const parts = Array.from({ length: integer(key, 0, 24) }, (_, j) => pick(key, j + 1, pieces));
  return parts.join(i % 2 === 0 ? " " : "");
}

const texts = ["", " ", "\u200b", "<answer>", "</think>", ...Array.from({ length: 1500 }, (_, i) => randomText(i))];
const all = texts.map((text, i) => completion(text, i % 3 === 0 ? 0 : text.length));

describe("every reward, on any text", () => {
  it.each(variants)("%s %j stays in its range, repeats itself, and points into the text", async (...variant) => {
    const reward = await build(variant);
    const [low, high] = reward.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    expect(Number.isFinite(low)).toBe(!unbounded.includes(variant[0]));
    expect(await reward.score(base, all.toReversed())).toEqual((await reward.score(base, all)).toReversed());
    for (const example of examples) {
      const scores = await reward.score(example, all);
      expect(scores).toHaveLength(all.length);
      const bad = scores.findIndex((s) => s !== null && !(Number.isFinite(s) && s >= low - 1e-9 && s <= high + 1e-9));
      expect(bad < 0 ? null : [texts[bad], scores[bad]]).toBeNull();
      expect(await reward.score(example, [])).toEqual([]);
      for (const [i, found] of (reward.evidence?.(example, all) ?? []).entries()) {
        for (const { start, end } of found) expect(start >= 0 && start < end && end <= texts[i]!.length).toBe(true);
      }
    }
  });

  it("is tried with each reward there is", () => {
    expect([...new Set(variants.map(([name]) => name))].sort()).toEqual(Object.keys(rewards).sort());
  });
});

describe("every reward takes time linear in the text", () => {
  const shapes: Readonly<Record<string, (size: number) => string>> = {
    words: (size) => "no left effusion and right lung opacity is not seen ".repeat(size / 52),
    lists: (size) => "effusion, mass, cyst, left, right, no, not ".repeat(size / 43),
    tags: (size) => "<think><answer>yes</answer></think>".repeat(size / 35),
    opened: (size) => "<answer>".repeat(size / 8),
    answers: (size) => `<think>${"answer is answer: ".repeat(size / 18)}`,
    letters: (size) => "é".repeat(size),
    blanks: (size) => ` ${"\u200b ".repeat(size / 2)}`,
    sentences: (size) => "Both. Left. Not. If. History of. ".repeat(size / 33),
  };
  const made = Object.entries(shapes).map(([name, shape]) => {
    const [first, short, long] = [20_000, 50_000, 400_000].map((size) => [completion(shape(size))] as const);
    return { name, first: first!, short: short!, long: long! };
  });

  it.each(variants)("%s %j", async (...variant) => {
    const reward = await build(variant);
    const seconds = async (group: readonly Completion[]) => {
      const start = process.cpuUsage(); // the clock on the wall counts what else the machine does
      await reward.score(base, group);
      reward.evidence?.(base, group);
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1e6;
    };
    for (const { name, ...groups } of made) {
      await seconds(groups.first); // compiled by now
      const short = await seconds(groups.short);
      const long = await seconds(groups.long);
      // Eight times the text; quadratic time would be sixty-four times. Small times are noise.
      expect(long, `${name}: ${short} s, then ${long} s`).toBeLessThan(32 * short + 0.5);
    }
  });
});

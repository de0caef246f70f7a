/** The checklist against the golden, what it promises of any text, and its rules' mistakes. */
import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { UserError } from "../../core/errors.ts";
import { integer, pick, randomKey, uniform } from "../../core/random.ts";
import type { Completion, Example } from "../../core/records.ts";
import { loadDataset } from "../../data/index.ts";
import { openRewardServices, openVocabulary } from "../../session/reward-services.ts";
import type { RewardContext, RewardServices } from "../reward.ts";
import { checklist } from "./index.ts";
import { readRules } from "./rules.ts";
import { checklistScore, type Goal, reachGoals, stepScores } from "./score.ts";

itMatchesGolden<{
  readonly goals: readonly (readonly [string, number, number, readonly string[]])[];
  readonly constraints: readonly (readonly [number, boolean])[];
  readonly mu: number;
  readonly score: readonly [number, number, number];
}>("plpf", "goals in their order, constraints and the score", ({ goals, constraints, mu, score }) => {
  const positions = new Map(goals.map(([id, , at]) => [id, at]));
  const asked = goals.map(([id, weight, , after]): Goal => ({ id, weight, after }));
  const reached = reachGoals(asked, 6, ({ id }, part) => positions.get(id) === part);
  const kept = constraints.map(([weight, ok]) => ({ weight, kept: ok }));
  expect(checklistScore(reached, [], mu)).toBeCloseTo(score[0], 9);
  expect(checklistScore(reached, kept, 1)! / checklistScore(reached, [], 1)!).toBeCloseTo(score[1], 9);
  expect(checklistScore(reached, kept, mu)).toBeCloseTo(score[2], 9);
});

const context: RewardContext = {
  vocabulary: openVocabulary(null),
  services: openRewardServices("unused"),
};
const phantomRules = "recipes/rules/phantom.yaml";
const reward = checklist({ rules: phantomRules }, context);
const completion = (text: string): Completion => ({
  ...{ text, tokenIds: new Int32Array(0), logProbs: new Float32Array(0) },
  ...{ finishReason: "stop", policyVersion: 0 },
});
const scoreOf = async (example: Example, text: string, of = reward) => (await of.score(example, [completion(text)]))[0];
const said = (...sentences: readonly string[]) => `<think>${sentences.join(" ")}</think><answer>left</answer>`;

/** A film with an opacity on the left. */
const film: Example = {
  ...{ id: "f", subjectId: "f", question: "Where is the opacity?", images: [], answer: "left", answerType: "open" },
  ...{ choices: [], meta: {} },
  facts: { modality: "x-ray", plane: "frontal", organ: "chest", findings: [{ finding: "opacity", side: "left" }] },
};
const [what, found, where] = [
  "This is a frontal radiograph of the chest.",
  "There is an opacity.",
  "The opacity is on the left.",
];

describe("the rules for generated images", () => {
  test("pay in full for reasoning that goes from the image to the finding, its side and the answer", async () => {
    expect(await scoreOf(film, said(what!, found!, where!))).toBe(1);
    expect(await scoreOf(film, said(what!, "There is an opacity on the left."))).toBe(1);
  });

  test("a goal that comes before what it follows counts only once it is said again", async () => {
    const early = await scoreOf(film, said(where!, what!));
    const again = await scoreOf(film, said(where!, what!, where!));
    expect(early).toBeLessThan(again!);
    expect(again).toBeLessThan(1); // the side stood there before any finding
  });

  test("what the image contradicts breaks a constraint and reaches nothing", async () => {
    const wrong = await scoreOf(film, said(what!, found!, "The opacity is on the right."));
    expect(wrong).toBeCloseTo((5 / 6) * (0.5 + 0.5 * 0.5), 9);
  });

  test("of an image without findings, a true denial reaches the finding and no side is asked", async () => {
    const clear = { ...film, facts: { modality: "x-ray", plane: "frontal", organ: "chest", findings: [] } };
    expect(await scoreOf(clear, said(what!, "There is no opacity."))).toBe(1);
    expect(await scoreOf(clear, said(what!, found!))).toBeLessThan(0.5);
  });

  test("the reference reasoning of generated images earns it all", async () => {
    for (const example of await loadDataset({ name: "phantom_world", split: "train", limit: 60, seed: 1 })) {
      const text = `<think>${example.rationale}</think><answer>${example.answer}</answer>`;
      expect(await scoreOf(example, text), text).toBe(1);
    }
  });
});

describe("whatever a completion says", () => {
  const pool = [
    what!,
    found!,
    where!,
    "The opacity is on the right.",
    "The weather is fine.",
    "No effusion is seen.",
    "",
  ];
  const texts = (seed: number) =>
    Array.from({ length: 6 }, (_, i) => pick(randomKey(seed, "text"), i, pool)).filter((text) => text !== "");

  test("the value lies in [0, 1], and text that achieves nothing leaves it", async () => {
    for (let seed = 0; seed < 60; seed++) {
      const own = texts(seed);
      const value = (await scoreOf(film, said(...own)))!;
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
      const at = integer(randomKey(seed, "at"), 0, own.length + 1);
      const longer = [...own.slice(0, at), "The weather is fine.", ...own.slice(at)];
      expect(await scoreOf(film, said(...longer))).toBe(value);
    }
  });

  test("what its sentences earn adds up to the goals' share", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { scores, steps } = await checklist({ rules: phantomRules, mu: 0 }, context).scoreSteps!(film, [
        completion(said(...texts(seed))),
      ]);
      const earned = steps[0]!.reduce((sum, { score }) => sum + score, 0);
      expect(earned).toBeCloseTo(scores[0]!, 9);
      const ends = steps[0]!.map(({ end }) => end);
      expect([...ends].sort((a, b) => a - b)).toEqual(ends);
    }
  });
});

describe("reachGoals and checklistScore", () => {
  const random = (seed: number): Goal[] =>
    Array.from({ length: 5 }, (_, i) => ({
      id: String(i),
      weight: 0.5 + uniform(randomKey(seed, "weight"), i),
      after: Array.from({ length: i }, (_, k) => String(k)).filter(
        (k) => integer(randomKey(seed, i), Number(k), 3) === 0,
      ),
    }));
  const holdsBy = (seed: number) => (goal: Goal, part: number) =>
    integer(randomKey(seed, "holds", goal.id), part, 5) === 0;

  test("are monotone in every goal, and read the order of parts through `after` alone", () => {
    for (let seed = 0; seed < 300; seed++) {
      const goals = random(seed);
      const holds = holdsBy(seed);
      const score = (more: (goal: Goal, part: number) => boolean, of = goals) =>
        checklistScore(reachGoals(of, 8, more), [{ weight: 1, kept: seed % 2 === 0 }], 0.5)!;
      const base = score(holds);
      for (const { id } of goals) {
        const more = score((goal, part) => holds(goal, part) || (goal.id === id && part === 7));
        expect(more).toBeGreaterThanOrEqual(base);
      }
      const free = goals.map((goal) => ({ ...goal, after: [] }));
      const reversed = score((goal, part) => holds(goal, 7 - part), free);
      expect(reversed).toBe(score(holds, free));
    }
  });

  test("without a goal there is no score; without a constraint none is broken", () => {
    expect(checklistScore([], [], 0.5)).toBe(null);
    expect(checklistScore([{ id: "a", weight: 2, after: [], at: 3 }], [], 1)).toBe(1);
    expect(stepScores([], [4, 9])).toEqual([
      { end: 4, score: 0 },
      { end: 9, score: 0 },
    ]);
  });
});

describe("a judge's rules", () => {
  const judged = {
    rules: [
      { id: "sound", kind: "goal", check: "judge", ask: "Is the reasoning sound?" },
      { id: "seen", kind: "goal", check: "claim", claims: ["finding"] },
    ],
    judge: { base_url: "http://localhost", model: "m" },
  };
  const services = (reply: string): RewardServices => ({
    ...context.services!,
    openChat: () => ({ complete: async () => reply }),
  });

  test("count by the verdict, once asked; without one they count nowhere", async () => {
    const of = (reply: string) => checklist(judged as never, { ...context, services: services(reply) });
    expect(await scoreOf(film, said(found!), of("VERDICT: YES"))).toBe(1);
    expect(await scoreOf(film, said(found!), of("VERDICT: NO"))).toBe(0.5);
    expect(await scoreOf(film, said(found!), of("hm"))).toBe(1);
  });

  test("need a judge to ask", () => {
    expect(() => checklist({ rules: judged.rules }, context)).toThrow("the rule sound needs a judge");
  });
});

test.each([
  [{}, "needs rules, a list"],
  [[{ id: "a", kind: "gaol", check: "claim" }], "rules[0] (a): kind kind must be goal or constraint"],
  [[{ id: "a", kind: "goal", check: "clam" }], "check must be one of pattern, claim, fact, judge"],
  [[{ id: "a", kind: "goal", check: "claim" }], "a: needs claims"],
  [[{ id: "a", kind: "constraint", check: "fact" }], "needs a goal"],
  [[{ id: "a", kind: "goal", check: "pattern", pattern: "(" }], "a: pattern: Invalid regular expression"],
  [[{ id: "a", kind: "goal", check: "fact", claims: ["side"], after: ["b"] }], "a: after names b, which is no goal"],
  [
    [
      { id: "a", kind: "goal", check: "fact", claims: ["side"], after: ["b"] },
      { id: "b", kind: "goal", check: "fact", claims: ["side"], after: ["a"] },
    ],
    "a, b wait for each other in a circle",
  ],
  [
    [
      { id: "a", kind: "goal", check: "fact", claims: ["side"] },
      { id: "a", kind: "goal", check: "fact", claims: ["side"] },
    ],
    "two rules are called a",
  ],
])("rules %# are refused in one sentence", (rules, message) => {
  const read = () => readRules(rules, "rules.yaml");
  expect(read).toThrow(UserError);
  expect(read).toThrow(`rules.yaml: `);
  expect(read).toThrow(message);
});

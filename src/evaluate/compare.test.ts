import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ComparedRun } from "./compare.ts";
import {
  type Conditions,
  compareEvaluations,
  comparisonJsonSchema,
  decodingOf,
  formatComparison,
  scoreItems,
} from "./index.ts";

const golden = JSON.parse(readFileSync(new URL("../../test/golden/metrics.json", import.meta.url), "utf8")).comparison;

const conditions: Conditions = {
  questions: { n: 120, sha256: "q" },
  prompt: { style: "plain", system: null, user: "{question}" },
  decoding: decodingOf({ maxCompletionLength: 64 }),
  images: { sha256: "i", min_pixels: null, max_pixels: 1000, tokens: 480 },
};

/** An arm that answers the golden's questions correctly where `right` says so. */
function arm(label: string, right: readonly number[], more: Partial<ComparedRun> = {}): ComparedRun {
  const examples = right.map((_, i) => ({
    id: `q${i}`,
    subjectId: golden.subjects[i] as string,
    question: `${i}?`,
    images: [],
    answer: "yes",
    answerType: i % 2 === 0 ? ("closed" as const) : ("open" as const),
    choices: [],
    meta: { content_type: i % 3 === 0 ? "Organ" : "Size", file: `${i}` },
  }));
  const answers = right.map((value) => (value === 1 ? "yes" : "no"));
  return { label, protocol: "viva", items: scoreItems(examples, answers, { style: "plain" }), conditions, ...more };
}

const arms: readonly ComparedRun[] = golden.arms.map((right: number[], i: number) => arm(`arm-${i}`, right));

describe("compareEvaluations", () => {
  it("names baselines whose settings were chosen from fewer trials", () => {
    const [first, second, third] = arms as [ComparedRun, ComparedRun, ComparedRun];
    const tuned = (run: ComparedRun, tuningTrials: number | null) => ({ ...run, tuningTrials });
    const judge = (...trials: readonly (number | null)[]) => {
      const [reference, arm, beside] = [first, second, third].map((run, i) => tuned(run, trials[i]!));
      const found = compareEvaluations([reference!, arm!], { resamples: 200, baselines: [beside!] });
      return [found.subsets[0]!.arms[0]!.verdict_against_all.less_tuned, formatComparison(found)] as const;
    };
    expect(judge(1, 8, 4)[0]).toEqual(["arm-0", "arm-2"]);
    expect(judge(1, 8, 8)[1]).toContain("Settings of arm-0 were chosen from fewer trials than these.");
    for (const trials of [[8, 8, 9] as const, [null, 8, null] as const, [1, null, 1] as const]) {
      const [names, text] = judge(...trials);
      expect(names).toBeUndefined();
      expect(text).not.toContain("fewer trials");
    }
  });

  it("equals statsmodels for differences, McNemar's test, Holm's correction and clustered errors", () => {
    const comparison = compareEvaluations(arms, { resamples: 500 });
    const [overall] = comparison.subsets;
    expect(overall).toMatchObject({ stratum: "overall", n: 120, subjects: 40 });
    for (const [i, wanted] of golden.compared.entries()) {
      const { difference, won, lost, mcnemar_p, holm_p, detectable_difference } = overall!.arms[i]!;
      expect(difference.estimate).toBeCloseTo(wanted.difference, 12);
      expect([won, lost]).toEqual([wanted.won, wanted.lost]);
      expect(mcnemar_p).toBeCloseTo(wanted.mcnemar_p, 10);
      expect(holm_p).toBeCloseTo(wanted.holm_p, 10);
      expect(detectable_difference!).toBeCloseTo((1.959963984540054 + 0.8416212335729143) * wanted.standard_error, 10);
    }
    expect(overall!.arms[1]!.verdict).toBe("better");
    expect(comparison.subsets.map(({ stratum, value, n }) => `${stratum} ${value} ${n}`)).toEqual([
      "overall overall 120",
      "answer_type closed 60",
      "answer_type open 60",
      "content_type Size 80",
      "content_type Organ 40",
    ]);
    const wholeGain = comparison.subsets.slice(1, 3).reduce((sum, { arms: [first] }) => sum + first!.won, 0);
    expect(wholeGain).toBe(golden.compared[0].won);
  });

  it("says improved only where the interval excludes 0", () => {
    const text = formatComparison(compareEvaluations([arms[0]!, arms[2]!], { resamples: 500 }));
    expect(text).toMatch(/arm-2: improved: \+28\.3 .* points against arm-0, the best baseline/);
    const slight = golden.arms[0].map((right: number, i: number) => (i === 0 ? 1 - right : right));
    const open = formatComparison(compareEvaluations([arms[0]!, arm("slight", slight)], { resamples: 500 }));
    expect(open).toMatch(
      /slight: not shown: .* against arm-0, the best baseline on these questions; p .*; a true difference of/,
    );
    expect(open).not.toContain("improved");
  });

  it("pairs by question, whatever the order of items", () => {
    const turned = { ...arms[1]!, items: [...arms[1]!.items].reverse() };
    expect(compareEvaluations([arms[0]!, turned], { resamples: 50 })).toEqual(
      compareEvaluations([arms[0]!, arms[1]!], { resamples: 50 }),
    );
  });

  const other = (changes: Partial<Conditions>) => ({ ...arms[1]!, conditions: { ...conditions, ...changes } });
  const items = arms[1]!.items;
  it.each<[string, ComparedRun, RegExp]>([
    ["fewer questions", { ...arms[1]!, items: items.slice(1) }, /arm-1 answers 119 .* lacks 1 of the 120 .* "q0"/],
    [
      "other answers",
      { ...arms[1]!, items: items.map((item) => ({ ...item, answer: "no" })) },
      /differ in the question or reference of "q0"/,
    ],
    ["other content", other({ questions: { n: 120, sha256: "x" } }), /differ in questions \(other content\)/],
    ["a protocol", { ...arms[1]!, protocol: "lmms" }, /under different protocols: viva and lmms/],
    [
      "a prompt",
      other({ prompt: { ...conditions.prompt!, style: "answer_only" } }),
      /differ in prompt \(style "plain" ag/,
    ],
    ["a decoding", other({ decoding: decodingOf({ maxCompletionLength: 9 }) }), /max_completion_length 64 against 9/],
    ["image sizes", other({ images: { ...conditions.images!, tokens: 960 } }), /images \(tokens 480 against 960\)/],
    ["unknown decoding", other({ decoding: null }), /decoding \(known for only one\): --allow decoding/],
    [
      "no record",
      { ...arms[1]!, conditions: null },
      /differ in prompt \(arm-1 does not record it: evaluate it again\)/,
    ],
  ])("refuses a different or unknown: %s", (_, changed, message) => {
    expect(() => compareEvaluations([arms[0]!, changed])).toThrow(message);
  });

  it("accepts differences that are allowed, and reports them", () => {
    const changed = other({ decoding: decodingOf({ maxCompletionLength: 9 }) });
    const comparison = compareEvaluations([arms[0]!, changed], { allow: ["decoding"], resamples: 50 });
    expect(comparison.allowed_differences).toEqual([
      { arm: "arm-1", condition: "decoding", what: "max_completion_length 64 against 9" },
    ]);
  });

  it("matches the stored schema", () => {
    const stored = readFileSync(new URL("../../docs/schemas/comparison.json", import.meta.url), "utf8");
    expect(JSON.parse(stored), "node --import tsx scripts/write-schemas.ts writes it").toEqual(comparisonJsonSchema());
  });
});

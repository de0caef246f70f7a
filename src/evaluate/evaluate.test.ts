import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { loadDataset } from "../data/index.ts";
import { baselineAnswers, trainBaselines } from "./baselines.ts";
import { breakdown, formatSummary, nearestNeighbour, scoreBaselines, scoreItems, summarise } from "./index.ts";

function example(id: string, question: string, answer: string, more: Partial<Example> = {}): Example {
  const closed = answer === "yes" || answer === "no";
  const answerType = closed ? "closed" : "open";
  return { id, subjectId: id, question, images: [], answer, answerType, choices: [], meta: {}, ...more };
}

const train = [
  example("1", "Is it clear?", "no"),
  example("2", "Is it clear?", "No."),
  example("3", "Is it large?", "yes"),
  example("4", "Which lung?", "left"),
  example("5", "Which lung?", "Right"),
  example("6", "which lung", "the right"),
];

describe("trainBaselines", () => {
  it("answers from the same question, falling back to the type", () => {
    const { majority, question_only } = trainBaselines(train);
    expect(question_only(example("x", "Is it large ?", "no"))).toBe("yes");
    expect(question_only(example("x", "Is it new?", "yes"))).toBe("no");
    expect(question_only(example("x", "WHICH LUNG?", "left"))).toBe("Right");
    expect(majority(example("x", "Is it large?", "yes"))).toBe("no");
    expect(majority(example("x", "?", "left", { answerType: "choice", choices: ["a", "b"] }))).toBe("a");
    expect(trainBaselines([]).question_only(train[0]!)).toBe("");
  });

  it("takes the type from the data if it has one, and answers with an existing option", () => {
    const meta = { content_type: "Size" };
    const sized = example("7", "How large?", "big", { meta });
    const choices = ["x", "y"];
    const chosen = example("8", "Pick", "y", { answerType: "choice", choices });
    const { majority, question_only } = trainBaselines([...train, sized, chosen]);
    expect(majority(example("x", "?", "?", { meta }))).toBe("big");
    expect(question_only({ ...chosen, question: "Pick another", choices: ["u", "v"] })).toBe("v");
  });
});

describe("scoreItems and summarise", () => {
  it("count no completion as well formed and unreadable at once", () => {
    const texts = ["<answer>yes</answer>", "<answer></answer>", "<answer>perhaps</answer>", "yes"];
    const examples = texts.map((_, i) => example(String(i), "?", "yes", { answerType: "closed" }));
    const items = scoreItems(examples, texts, { style: "answer_only" });
    expect(items.map(({ format, parse_failure }) => [format, parse_failure])).toEqual([
      [true, false],
      [false, true],
      [false, true],
      [false, true],
    ]);
  });

  it("call an answer exact by the option's index", () => {
    const more = { answerType: "choice", choices: ["3", "three"], answerIndex: 1 } as const;
    const examples = ["B", "three", "A", "B."].map((_, i) => example(String(i), "?", "three", more));
    const items = scoreItems(examples, ["B", "three", "A", "3."], { style: "plain" });
    expect(items.map(({ strict, exact_match }) => [strict, exact_match])).toEqual([
      [1, 1],
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
  });

  const examples = [
    example("a", "Is it clear?", "yes", { meta: { organ: "lung" }, subjectId: "s1" }),
    example("b", "Is it clear?", "no", { meta: { organ: "lung" }, subjectId: "s1" }),
    example("c", "Which lung?", "right upper lobe", { subjectId: "s2" }),
    example("d", "Where?", "left", { answerType: "choice", choices: ["left", "right"], subjectId: "s3" }),
  ];
  const items = scoreItems(
    examples,
    [
      "<think>x</think><answer>yes</answer>",
      "The answer is no.",
      { text: "<answer>right lobe</answer>", tokens: 7, finishReason: "length" },
      "<answer>A</answer>",
    ],
    { checkpoint: "step-000010" },
  );

  it("keeps strict, lenient, F1 and parse failures apart", () => {
    expect(items.map(({ strict }) => strict)).toEqual([1, 0, 0, 1]);
    expect(items.map(({ lenient }) => lenient)).toEqual([1, 1, 0, 1]);
    expect(items.map(({ parse_failure }) => parse_failure)).toEqual([false, true, false, false]);
    expect(items.map(({ format }) => format)).toEqual([true, false, false, false]);
    expect(items[2]).toMatchObject({ token_f1: 0.8, tokens: 7, finish_reason: "length", subject_id: "s2" });
    expect(items[0]).toMatchObject({ checkpoint: "step-000010", protocol: "viva", strata: { organ: "lung" } });
    expect(items[0]!.parsed_answer).toEqual({ text: "yes", start: 24, end: 27 });
    expect(items[1]!.parsed_answer).toBeNull();
  });

  it("summarises by answer type next to the baselines, as numbers and as a table", () => {
    const baselines = scoreBaselines(examples, baselineAnswers(examples, trainBaselines(train)));
    const summary = summarise(items, baselines);
    expect(Object.keys(summary.subsets)).toEqual(["overall", "closed", "open", "choice"]);
    const { closed, overall } = summary.subsets;
    expect(closed).toMatchObject({ n: 2, subjects: 1, parse_failure_rate: 0.5, accuracy: { estimate: 0.5 } });
    expect(closed!.baselines.question_only!.accuracy).toBe(0.5);
    expect(overall!.accuracy.estimate).toBe(0.5);
    expect(overall!.lenient_accuracy.estimate).toBe(0.75);
    expect(breakdown(items, "organ")).toMatchObject([{ value: "lung", accuracy: { n: 2, estimate: 0.5 } }]);
    const lines = formatSummary(summary).split("\n");
    expect(lines[0]).toBe("protocol viva, step-000010");
    expect(lines[1]).toMatch(/^ +n +accuracy % \[95 % interval\] +lenient .* majority +question_only$/);
    expect(lines[2]).toMatch(/^overall +4 +50.0 \[\d+\.\d, \d+\.\d\] +75.0 +70.0 +25.0 % /);
    expect(new Set(lines.slice(1, 6).map((line) => line.length)).size).toBe(1);
  });

  it("takes the best baseline from validation questions, of each answer type its own", () => {
    const validating = [
      example("v1", "Is it large?", "yes", { subjectId: "v1" }),
      example("v2", "Which lung?", "left", { subjectId: "v2" }),
    ];
    const baselines = (asked: readonly Example[]) =>
      scoreBaselines(asked, baselineAnswers(asked, { yes: () => "yes", left: () => "left" }));
    const { closed, choice, overall } = summarise(items, baselines(examples), {
      validation: baselines(validating),
    }).subsets;
    expect(closed!.baselines["yes"]).toMatchObject({ accuracy: 0.5, validation: 1 });
    expect(closed!.verdict).toMatchObject({ against: "yes", chosen_on: "validation" });
    expect(overall!.baselines["left"]!.validation).toBe(0.5);
    expect(choice!.baselines["left"]).not.toHaveProperty("validation"); // no validation question has options
    expect(choice!.verdict).toMatchObject({ against: "left", chosen_on: "these questions" });
  });

  it("returns an empty summary without items", () => {
    expect(summarise([]).subsets).toEqual({});
    expect(formatSummary(summarise([]))).toMatch(/^protocol viva/);
  });
});

const slake = resolve(fileURLToPath(import.meta.url), "../../../../shared/data/slake");

describe.skipIf(!existsSync(join(slake, "test.json")))("baselines of SLAKE (skipped without the data)", () => {
  it("majority and question-only match an independent count over this copy (4,644 and 1,026 rows)", async () => {
    const [known, test] = await Promise.all(
      ["train", "test"].map((split) => loadDataset({ name: "slake", path: slake, split })),
    );
    const baselines = scoreBaselines(test!, {
      ...baselineAnswers(test!, trainBaselines(known!)),
      ...(await nearestNeighbour(test!, known!)),
    });
    const right = (name: string, type: "closed" | "open") => {
      const items = baselines[name]!.filter((item) => item.answer_type === type);
      return [items.reduce((total, item) => total + item.strict, 0), items.length];
    };
    expect(right("question_only", "closed")).toEqual([272, 399]); // 68.2 %
    expect(right("question_only", "open")).toEqual([295, 627]); // 47.0 %
    expect(right("majority", "closed")).toEqual([189, 399]); // 47.4 %
    expect(right("majority", "open")).toEqual([183, 627]); // 29.2 %
  });
});

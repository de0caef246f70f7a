import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { promptStyle, questionMessages, targetText } from "../answers/prompts.ts";
import type { Completion } from "../core/records.ts";
import { files } from "../data/files.ts";
import { rewards } from "../rewards/table.ts";
import { evaluateAnswers } from "./evaluate.ts";
import { formatSummary } from "./table.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-answer-figures-"));
afterAll(() => rmSync(folder, { recursive: true }));

const completion = (text: string): Completion => ({
  ...{ text, tokenIds: new Int32Array(1), logProbs: new Float32Array(1), finishReason: "stop", policyVersion: 0 },
});

function own(name: string, text: string) {
  writeFileSync(join(folder, name), text);
  return files.load({ path: join(folder, name), split: "all", own: {} });
}

describe("several right options, from a file to its figures", async () => {
  const choices = ["nodule", "effusion", "opacity", "mass"];
  const rows = ["B,C", "A"].map((answer, i) => {
    return JSON.stringify({ image: `${i}.png`, question: "Which?", answer, answer_type: "multi", choices });
  });
  const examples = await own("sets.jsonl", `${rows.join("\n")}\n`);

  it("lists the options, is taught letters, and scores a part", async () => {
    const [turn] = questionMessages(examples[0]!, promptStyle("think_answer"));
    expect(turn!.content.at(-1)).toMatchObject({ text: expect.stringContaining("\nB. effusion\nC. opacity") });
    expect(targetText(examples[0]!, "answer_only", "answer")).toBe("<answer>B,C</answer>");
    const said = ["<answer>C</answer>", "<answer>C,B</answer>", "<answer>liver</answer>"].map(completion);
    expect(await rewards.choice_set({} as never).score(examples[0]!, said)).toEqual([2 / 3, 1, 0]);
  });

  it("has F1, exact matches and Jaccard with intervals; what cannot be read counts 0", () => {
    const predictions = ["<answer>C</answer>", "<answer>none of it</answer>"].map((text) => [{ text }]);
    const answers = { predictions, style: "think_answer", thinkOpened: false } as const;
    const { summary } = evaluateAnswers(examples, answers, { checkpoint: "", train: null });
    const { f1, exact, jaccard } = summary.figures!.options!;
    expect(f1).toMatchObject({ estimate: 1 / 3, low: 0, high: 2 / 3, n: 2, subjects: 2 });
    expect(exact!.estimate).toBe(0);
    expect(jaccard!.estimate).toBeCloseTo(0.25, 12);
    expect(formatSummary(summary)).toContain("options: f1 33.3");
  });
});

it("yes/no questions have sensitivity and specificity, each over its own questions; groups bring the test's other figures", () => {
  const asked = ["yes", "yes", "yes", "no"].map((answer, i) => {
    const about = { id: `q${i}`, subjectId: `s${i}`, question: "Is it?", images: [], choices: [], answer };
    return { ...about, answerType: "closed" as const, meta: { sex: i % 2 === 0 ? "f" : "m" } };
  });
  const predictions = ["yes", "no", "perhaps", "no"].map((text) => [{ text }]);
  const answers = { predictions, style: "plain", thinkOpened: false } as const;
  const { summary } = evaluateAnswers(asked, answers, { checkpoint: "", train: null });
  expect(summary.figures).toMatchObject({
    yes: { sensitivity: { estimate: 1 / 3, n: 3 } },
    no: { specificity: { estimate: 1, n: 1 } },
  });
  expect(formatSummary(summary)).toContain("yes: sensitivity 33.3");
  expect(summary.yes_no).toBeUndefined();
  const grouped = evaluateAnswers(asked, answers, { checkpoint: "", train: null, subgroups: ["sex"], missedCost: 7 });
  expect(grouped.summary.yes_no!["model"]).toMatchObject({
    recall: 1 / 3,
    specificity: 1,
    accuracy: 0.5,
    cost: 14 / 4,
  });
  expect(formatSummary(grouped.summary)).toContain("cost: 7 for each missed");
});

it("numbers of a table of texts have their unit, tolerance and event, and survival its status and reasoning", async () => {
  const header = "image,question,answer,answer_type,unit,tolerance,event,rationale";
  const rows = ["a.png,How long?,14,numeric,months,2,true,There is a large nodule.", "b.png,Size?,24 mm,numeric,,,,"];
  const examples = await own("table.csv", `${[header, ...rows].join("\n")}\n`);
  expect(examples.map(({ target }) => target)).toEqual([
    { value: 14, unit: "months", tolerance: 2, event: true },
    { value: 24, unit: "mm" },
  ]);
  const text = (status: string) =>
    `<reasoning>There is a large nodule.</reasoning><comment></comment><prediction>Overall Survival Status: ${status}\nEstimated Overall Survival (months): 15</prediction>`;
  const predictions = [[{ text: text("1:DECEASED") }], [{ text: "<prediction>2.6 cm</prediction>" }]];
  const answers = { predictions, style: "reasoning_prediction", thinkOpened: false } as const;
  const { summary, items } = evaluateAnswers(examples, answers, { checkpoint: "", train: null });
  expect(items.map(({ strict, parse_failure }) => [strict, parse_failure])).toEqual([
    [1, false],
    [0, false],
  ]);
  expect(summary.figures!.survival!["status"]!.estimate).toBe(1);
  const { bleu_4, rouge_1, rouge_l } = summary.figures!.rationale!;
  expect([bleu_4, rouge_1, rouge_l].map((one) => [one!.estimate, one!.n])).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  const [months, mm] = summary.numbers!["model"]!;
  expect([months!.unit, months!.mae.estimate, mm!.mae.estimate]).toEqual(["months", 1, 2]);
  expect(mm!.mape!.estimate).toBeCloseTo(2 / 24, 12);
});

it.each([
  ["unit", "a.png,?,14 mm,numeric,months,,", 'in mm and "unit" says months'],
  ["event", "a.png,?,14,numeric,months,,perhaps", 'field "event": must be true or false'],
])("a bad %s is refused", async (_, row, message) => {
  const header = "image,question,answer,answer_type,unit,tolerance,event";
  await expect(own("bad.csv", `${header}\n${row}\n`)).rejects.toThrow(message);
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import {
  evaluateAnswers,
  evaluationResults,
  formatSummary,
  readPredictions,
  resultsJsonSchema,
  sampleRecords,
} from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-predictions-"));
afterAll(() => rmSync(folder, { recursive: true }));

function example(id: string, answer: string, choices: readonly string[] = []): Example {
  const answerType = choices.length > 0 ? "choice" : answer === "yes" || answer === "no" ? "closed" : "open";
  return { id, subjectId: `s${id}`, question: `${id}?`, images: [], answer, answerType, choices, meta: {} };
}

const examples = [example("a", "yes"), example("b", "left lung"), example("c", "liver", ["lung", "liver"])];

function write(...rows: readonly unknown[]): string {
  const file = join(folder, "predictions.jsonl");
  writeFileSync(file, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return file;
}

const right = [
  { example_id: "c", prediction: "B" },
  { example_id: "a", prediction: "Yes" },
  { example_id: "b", prediction: "lung" },
];

describe("readPredictions", () => {
  it("puts answers in the examples' order and skips summaries and other protocols", () => {
    const items = right.map((row) => ({ kind: "item", protocol: "viva", ...row }));
    const file = write(...items, { kind: "summary" }, ...items.map((row) => ({ ...row, protocol: "lmms" })));
    const { predictions } = readPredictions(file, examples, "plain");
    expect(predictions.map(([first]) => first!.text)).toEqual(["Yes", "lung", "B"]);
  });

  it("leaves special tokens at the end of answers out", () => {
    const ended = ["Yes<|im_end|>", "lung\n</s>", ["B", "<answer>A</answer><eos><eos>"]];
    const file = write(...ended.map((prediction, i) => ({ example_id: "abc"[i], prediction })));
    const { predictions } = readPredictions(file, examples, "plain");
    expect(predictions.map((all) => all.map(({ text }) => text))).toEqual([
      ["Yes"],
      ["lung\n"],
      ["B", "<answer>A</answer>"],
    ]);
  });

  it.each<[string, readonly unknown[], RegExp]>([
    ["no JSON", ["{"], /predictions.jsonl:1: not a JSON object/],
    ["no text", [{ example_id: "a", prediction: 1 }], /:1: field "prediction": .*a row is/],
    ["an empty list", [{ example_id: "a", prediction: [] }], /:1: field "prediction"/],
    ["an unknown id", [right[0], { example_id: "zz", prediction: "" }], /:2: the data has no question .* "zz"/],
    ["an id twice", [right[0], right[0]], /:2: the example_id "c" appears twice/],
    ["missing ones", [right[1]], /2 of 3 questions have no prediction, the first "b", "c"/],
  ])("reports %s with file and line", (_, rows, message) => {
    expect(() => readPredictions(write(...rows), examples, "plain")).toThrow(message);
  });
});

describe("evaluateAnswers", () => {
  const evaluate = (...rows: readonly unknown[]) => {
    const answers = readPredictions(write(...rows), examples, "plain");
    return (["viva", "lmms"] as const).map((protocol) =>
      evaluateAnswers(examples, answers, { protocol, checkpoint: "elsewhere", train: examples }),
    );
  };

  it("names the protocol in every figure and gives the baselines options that every protocol parses", () => {
    const evaluations = evaluate(...right);
    expect(evaluations.map(({ summary }) => summary.protocol)).toEqual(["viva", "lmms"]);
    for (const { summary, items } of evaluations) {
      expect(new Set(items.map(({ protocol }) => protocol))).toEqual(new Set([summary.protocol]));
      expect(summary.subsets.overall!.accuracy.estimate).toBeCloseTo(2 / 3, 12);
      expect(summary.subsets.overall!.baselines.question_only).toMatchObject({ accuracy: 1, mcnemar_p: 1 });
      expect(summary.subsets.open).toMatchObject({ recall: { estimate: 0.5 }, bleu_1: { estimate: Math.exp(-1) } });
      expect(summary.sampled).toBeUndefined();
    }
    const [first] = sampleRecords(evaluations.map(({ items }) => items));
    expect(first).toMatchObject({ doc_id: 0, target: "yes", resps: [["Yes"]], viva_accuracy: 1, lmms_accuracy: 1 });
  });

  it("scores several answers as pass@k and majority@k", () => {
    const [{ summary }] = evaluate(
      { example_id: "a", prediction: ["no", "yes", "Yes."] },
      { example_id: "b", prediction: ["lung", "heart", "lung"] },
      { example_id: "c", prediction: ["?", "B", "A"] },
    ) as [ReturnType<typeof evaluateAnswers>, unknown];
    const { at_k, generations } = summary.sampled!;
    expect(generations).toBe(3);
    expect(Object.keys(at_k)).toEqual(["1", "2", "3"]);
    expect(at_k["1"]!.pass.estimate).toBeCloseTo((2 / 3 + 0 + 1 / 3) / 3, 12);
    expect(at_k["3"]!.pass.estimate).toBeCloseTo(2 / 3, 12);
    expect(at_k["3"]!.majority.estimate).toBeCloseTo(2 / 3, 12); // "?" casts no vote, B stands before A
    expect(formatSummary(summary)).toMatch(/pass@3 66.7 .* majority@3 66.7/);
  });

  it("returns results that match the stored schema", () => {
    const summaries = evaluate(...right).map(({ summary }) => summary);
    const data = { name: "jsonl", split: "test", questions: 3, limit: null, seed: 42, image_disjoint: false };
    const about = { data, subject: "elsewhere", prompt: null };
    expect(evaluationResults(about, summaries).protocols).toEqual(summaries);
    const broken = { ...summaries[0]!, subsets: { overall: { ...summaries[0]!.subsets.overall!, n: 0.5 } } };
    expect(() => evaluationResults(about, [broken])).toThrow(/"n"/);
    const stored = readFileSync(new URL("../../docs/schemas/evaluation-results.json", import.meta.url), "utf8");
    expect(JSON.parse(stored), "node --import tsx scripts/write-schemas.ts writes it").toEqual(resultsJsonSchema());
  });
});

import { expect, it } from "vitest";
import { evaluationPage } from "../../bench/evaluation-page.ts";
import { evaluateAnswers, evaluationResults, probeResults } from "../../src/evaluate/index.ts";
import { completion, example, probed } from "./scripted.ts";

it("the full report has accuracy with baselines, every applicable probe, and why others do not apply", async () => {
  const train = ["x", "y", "z"].map((id) =>
    example(id, { answer: id === "z" ? "yes" : "no", question: "Is it large?" }),
  );
  const examples = ["a", "b"].map((id) => example(id, { answer: id === "a" ? "yes" : "no" }));
  const predictions = examples.map(() => [{ text: "<think>x</think><answer>yes</answer>" }]);
  const answers = { predictions, style: "think_answer", thinkOpened: false } as const;
  const { summary } = evaluateAnswers(examples, answers, { checkpoint: "c", train });
  const data = { name: "jsonl", split: "test", questions: 2, limit: 2, seed: 7, image_disjoint: false };
  const about = { data, subject: "c", prompt: "think_answer" };
  const { results } = await probed(["answer_prior", "mirror"], examples, (shown) => completion(shown, "x", "yes"));
  const page = evaluationPage(
    evaluationResults(about, [summary]),
    probeResults({ ...about, protocol: "viva" }, results),
    { title: "Two questions", about: "A model that says yes.", commands: ["viva eval c"] },
  );
  const lines = page.split("\n");
  expect(lines[0]).toBe("# Two questions");
  expect(page).toContain("`jsonl`, 2 questions (test split, 2 sampled with seed 7)");
  expect(lines).toContain("|  | overall (2) | closed (2) |");
  expect(page).toMatch(/\| \*\*accuracy\*\* \| 50\.0 \[0\.0, 100\.0\] \|/);
  expect(page).toMatch(/\| question only \| 50\.0 \(0\.0 \[-100\.0, \+100\.0\]\) \|/);
  expect(page).toContain("### [answer_prior](../probes/answer_prior.md)");
  expect(lines).toContain("| yes bias |  | 2 | +50.0 [0.0, +100.0] |");
  expect(page.trimEnd().endsWith("- mirror: no question or answer is about left or right")).toBe(true);
});

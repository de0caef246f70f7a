import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compareArms, milestones, pairedChange, runStatistics, type ScoredItem } from "./run-statistics.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-statistics-"));
afterAll(() => rmSync(folder, { recursive: true }));

const item = (i: number, strict: 0 | 1, type = i % 2 ? "side" : "zone"): ScoredItem => ({
  example_id: `e${i}`,
  subject_id: `s${i}`,
  strict,
  strata: { question_type: type, split: "test", modality: "X-Ray" },
  answer_type: "open",
  question: `question ${i}`,
  answer: "left",
  prediction: strict ? "left" : "right",
});

function writeEvals(
  name: string,
  evaluations: readonly (readonly [step: number, stage: string, scores: readonly (0 | 1)[]])[],
) {
  const run = join(folder, name);
  mkdirSync(run);
  const lines = evaluations.flatMap(([step, stage, scores]) => [
    ...scores.map((strict, i) => ({ kind: "item", step, ...item(i, strict) })),
    { kind: "summary", step, stage },
  ]);
  writeFileSync(join(run, "evals.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return run;
}

describe("milestones", () => {
  it("are the first evaluation and the last of each stage", () => {
    const run = writeEvals("stages", [
      [0, "start", [0, 0]],
      [10, "sft", [1, 0]],
      [20, "sft", [0, 1]],
      [30, "grpo", [1, 1]],
      [40, "grpo", [1, 0]],
    ]);
    const found = milestones(run);
    expect(found.map(({ step, stage }) => [step, stage])).toEqual([
      [0, "start"],
      [20, "sft"],
      [40, "grpo"],
    ]);
    expect(found.map(({ items }) => items.map(({ strict }) => strict))).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
  });

  it("tell stages of one kind apart by where they start", () => {
    const run = writeEvals("twice", [
      [0, "start", [0, 0]],
      [5, "grpo", [1, 0]],
      [10, "grpo", [1, 1]],
      [15, "grpo", [1, 0]],
      [20, "grpo", [0, 0]],
    ]);
    const events = [1, 11].map((step) => `${JSON.stringify({ event: "stage_start", step, stage: "grpo" })}\n`);
    writeFileSync(join(run, "events.jsonl"), events.join(""));
    expect(milestones(run).map(({ step }) => step)).toEqual([0, 10, 20]);
  });

  it("leave out an evaluation that was cut short, and a half-written line", () => {
    const run = writeEvals("cut", [[5, "sft", [1, 0]]]);
    appendFileSync(
      join(run, "evals.jsonl"),
      `${JSON.stringify({ kind: "item", step: 9, ...item(0, 1) })}\n{"kind":"it`,
    );
    expect(milestones(run).map(({ step }) => step)).toEqual([5]);
    expect(milestones(join(folder, "nowhere"))).toEqual([]);
  });
});

describe("paired changes", () => {
  it("count won and lost questions and test them exactly", () => {
    const before = [0, 0, 0, 0, 0, 0, 1, 1].map((strict, i) => item(i, strict as 0 | 1));
    const after = [1, 1, 1, 1, 1, 0, 0, 1].map((strict, i) => item(i, strict as 0 | 1)).reverse();
    const change = pairedChange(before, after)!;
    expect(change).toMatchObject({ won: 5, lost: 1, difference: { estimate: 0.5, n: 8 } });
    expect(change.p).toBeCloseTo((2 * (1 + 6)) / 2 ** 6, 12); // binomial(6, 1/2): P(at most 1), twice
    expect(change.difference.low).toBeLessThan(0.5);
    expect(change.difference.high).toBeGreaterThan(0.5);
  });

  it("use shared questions only", () => {
    expect(pairedChange([item(1, 0)], [item(1, 1), item(2, 1)])).toMatchObject({ won: 1, difference: { n: 1 } });
    expect(pairedChange([item(1, 0)], [item(2, 1)])).toBeNull();
  });
});

describe("runStatistics", () => {
  const statistics = runStatistics(
    milestones(
      writeEvals("three", [
        [0, "start", [0, 0, 0, 0]],
        [20, "sft", [1, 0, 0, 0]],
        [40, "grpo", [0, 1, 1, 1]],
      ]),
    ),
  );

  it("report each stage's change, then the whole run's", () => {
    const told = statistics.changes.map(({ from, to, change }) => [from.step, to.step, change.difference.estimate]);
    expect(told).toEqual([
      [0, 20, 0.25],
      [20, 40, 0.5],
      [0, 40, 0.75],
    ]);
  });

  it("break down by question type, with the last stage's change, and skip strata with a single value", () => {
    expect(statistics.strata.map(({ name }) => name)).toEqual(["question_type"]);
    const [side, zone] = statistics.strata[0]!.rows;
    expect(side).toMatchObject({ value: "side", n: 2, change: { won: 2, lost: 0 } });
    expect(zone).toMatchObject({ value: "zone", n: 2, change: { won: 1, lost: 1 } });
    expect(side!.accuracies.map((accuracy) => accuracy?.estimate)).toEqual([0, 0, 1]);
  });

  it("list the questions that flipped", () => {
    expect(statistics.flips).toMatchObject({ won: 3, lost: 1 });
    expect(statistics.flips.shown.at(-1)).toMatchObject({ question: "question 0", before: "left", after: "right" });
  });

  it("are empty for a run without evaluations", () => {
    expect(runStatistics([])).toEqual({
      milestones: [],
      changes: [],
      strata: [],
      flips: { shown: [], won: 0, lost: 0 },
    });
  });
});

describe("compareArms", () => {
  const arm = (label: string, scores: readonly (0 | 1)[], from = 0) => {
    return { label, milestones: [{ step: 9, stage: "grpo", items: scores.map((s, i) => item(from + i, s)) }] };
  };

  it("compares each later arm with the first, as a whole and by question type", () => {
    const [better] = compareArms([arm("a", [0, 0, 1, 1]), arm("b", [1, 0, 1, 1])]);
    expect(better).toMatchObject({ label: "b", reference: "a", reason: null, change: { won: 1, lost: 0 } });
    expect(better!.strata.map(({ value, change }) => [value, change.won])).toEqual([
      ["side", 0],
      ["zone", 1],
    ]);
  });

  it("says why nothing can be compared", () => {
    const none = { label: "none", milestones: [] };
    expect(compareArms([arm("a", [1]), none])[0]).toMatchObject({ change: null, reason: "not evaluated" });
    expect(compareArms([none, arm("b", [1])])[0]).toMatchObject({ reason: "none was not evaluated" });
    expect(compareArms([arm("a", [1]), arm("b", [1], 50)])[0]).toMatchObject({ reason: "no question in common" });
  });
});

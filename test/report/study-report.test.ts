/**
 * A study's report: computed from run folders, with a section per dimension, all texts escaped, readable on a phone.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Recipe } from "../../src/recipes/schema.ts";
import { writeStudyFiles } from "../../src/report/index.ts";
import { type StudyResults, studyResultsSchema } from "../../src/runs/study-results.ts";
import { studyPaths } from "../../src/study/folder.ts";
import type { Study } from "../../src/study/load.ts";
import type { PlannedRun } from "../../src/study/plan.ts";
import { studyResults } from "../../src/study/results.ts";
import { findChromium, openBrowser } from "./chromium.ts";
import { hostile, writeRun } from "./run-folders.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-study-report-"));
afterAll(() => rmSync(folder, { recursive: true }));

const arms = ["plain", "same", "better", "gone"];
const seeds = [1, 2];
const recipe = { tuning_trials: 1, stages: [{ kind: "grpo", steps: 30 }] } as unknown as Recipe;
const runs = seeds.flatMap((seed) =>
  arms.map((arm): PlannedRun => {
    return { folder: `runs/${arm}-seed${seed}`, arm, seed, recipe, parent: null, inherited: 0, weights: null };
  }),
);
const study = {
  name: "tiny",
  about: hostile,
  seeds,
  reference: "plain",
  baselines: ["plain"],
  pilot: null,
  retention: null,
  generalisation: null,
  predicts: [
    {
      ...{ arm: "better", against: "plain", measure: "accuracy" },
      direction: "higher",
      margin: null,
      because: hostile,
    },
    { ...{ arm: "same", against: "plain", measure: "length" }, direction: "higher", margin: null, because: "longer" },
  ] satisfies Study["predicts"],
  arms: arms.map((name) => ({
    name,
    about: hostile,
    weights: null,
    recipe: name === "better" ? { ...recipe, tuning_trials: 8 } : recipe,
    dimensions: name === "plain" ? [] : ["length"],
  })),
};
let results: StudyResults;
let page = "";

/** 40 questions, of which the first `right` are answered correctly. */
function evaluation(right: number): string {
  const items = Array.from({ length: 40 }, (_, i) => ({
    kind: "item",
    step: 30,
    example_id: `q${i}`,
    subject_id: `s${i >> 1}`,
    strict: i < right ? 1 : 0,
    strata: { chain_length: String(3 + (i % 2)) },
    tokens: 30 + (i % 5),
    statements: { right: 3, wrong: 1, asserted: 2, invented: 1 },
  }));
  const overall = { n: 40, accuracy: { estimate: right / 40, low: 0, high: 1 }, token_f1: { estimate: 0.5 } };
  const summary = {
    kind: "summary",
    step: 30,
    stage: "grpo",
    subsets: { overall },
    facts: { precision: { estimate: 0.75 } },
  };
  return [...items, summary].map((line) => `${JSON.stringify(line)}\n`).join("");
}

beforeAll(async () => {
  for (const { folder: run, arm, seed } of runs) {
    if (arm === "gone") continue;
    const at = await writeRun(join(folder, run), { steps: 30 });
    writeFileSync(join(at, "evals.jsonl"), evaluation({ plain: 20, same: 20, better: 30 }[arm!]! + seed));
  }
  const failed = { event: "run_failed", run: "runs/gone-seed1", seconds: 1, message: hostile };
  writeFileSync(join(folder, "journal.jsonl"), `${JSON.stringify(failed)}\n`);
  results = studyResults(study, runs, studyPaths(folder));
  writeStudyFiles(results, studyPaths(folder));
  page = readFileSync(join(folder, "report.html"), "utf8");
});

it("pairs arms with the reference by question and seed, and ranks them", () => {
  expect(studyResultsSchema.parse(results)).toEqual(results);
  const [plain, same, better, gone] = results.arms;
  expect(plain!.difference).toBeNull();
  expect(same!.difference).toMatchObject({ estimate: 0, low: 0, high: 0, p: 1, n: 80, subjects: 20 });
  expect(better!.difference!.estimate).toBeCloseTo(10 / 40, 12);
  expect(better!.difference!.low).toBeGreaterThan(0);
  expect(better!.difference!.by_seed).toEqual(seeds.map((seed) => ({ seed, difference: 10 / 40 })));
  expect(better!.difference!.p_holm).toBeCloseTo(2 * better!.difference!.p, 12);
  expect(better!.verdict).toMatchObject({ verdict: "improved", against: "plain", unbeaten: [], less_tuned: ["plain"] });
  expect([better!.tuning_trials, same!.tuning_trials, same!.verdict!.less_tuned]).toEqual([8, 1, undefined]);
  expect(same!.verdict).toMatchObject({ verdict: "not_shown", against: "plain", unbeaten: ["plain"] });
  expect([plain!.verdict, gone!.verdict]).toEqual([null, null]);
  expect(plain!.accuracy!.estimate).toBeCloseTo((21 + 22) / 80, 12);
  expect(plain!.accuracy!.seed_sd).toBeCloseTo(Math.SQRT1_2 / 40, 12);
  expect(plain!.figures).toEqual({ token_f1: 0.5, "facts.precision": 0.75 });
  expect(plain!.cost).toEqual({ seconds: 30, ratio: 1 });
  expect(gone!.runs.map(({ status }) => status)).toEqual(["failed", "unfinished"]);
  expect(results.ranking).toEqual(["better", "plain", "same"]);
  const [length, ...others] = results.dimensions!;
  expect([length!.name, length!.arms, others]).toEqual(["length", ["same", "better", "gone"], []]);
  expect(length!.effect!.estimate).toBeCloseTo((0 + 10) / 80, 12); // of two arms that ran, as many questions each
  expect(length!.effect).toMatchObject({ n: 160, subjects: 20, p_holm: length!.effect!.p });
});

it("says of each prediction whether it held, and shows how the arms reason", () => {
  expect(results.predictions.map(({ verdict }) => verdict)).toEqual(["held", "undecided"]);
  for (const id of ["predictions", "reasoning"]) expect(page).toContain(`<section id="${id}">`);
  expect(page).toContain("1 of 2 held");
  expect(page).toContain("by statements in the reference chain");
});

it("shows dimensions, costs, further figures and failures, and escapes all texts from files", () => {
  for (const id of ["overview", "effects", "dimension-0", "costs", "figures", "runs"])
    expect(page).toContain(`<section id="${id}">`);
  expect(page).toContain("Forest plot: length: difference from plain. same: 0.0 [0.0, 0.0] points. better: +25.0");
  expect(page).toContain("facts.precision");
  expect(page).toContain("failed: &lt;script&gt;");
  expect(page).not.toContain(hostile.slice(0, 20));
  expect(page).not.toMatch(/(?:src|href)="https?:/);
});

const chromium = findChromium();
it.skipIf(chromium === null)(
  "fits desktop and phone widths, makes no request and logs no error",
  { timeout: 60_000 },
  async () => {
    const browser = await openBrowser(chromium!);
    try {
      for (const width of [1280, 390]) {
        await browser.open(join(folder, "report.html"), { width, height: 800 });
        expect(await browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), `${width}`).toBe(true);
        expect(await browser.evaluate("document.querySelectorAll('svg.forest').length")).toBe(3);
        if (process.env["VIVA_SHOTS"]) {
          writeFileSync(
            join(process.env["VIVA_SHOTS"], `study-${width}.png`),
            await browser.screenshot({ full: true }),
          );
        }
      }
      const told = browser.events.filter(({ method }) => /exceptionThrown|entryAdded/.test(method));
      expect(told).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);

/** A study's folder with results of three arms, two seeds each. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StudyResults } from "../../src/runs/study-results.ts";

export function writeStudy(folder: string): void {
  mkdirSync(join(folder, "grpo-1"), { recursive: true });
  writeFileSync(join(folder, "grpo-1/recipe.yaml"), "name: grpo\n");
  writeFileSync(join(folder, "study.yaml"), "name: arms\n");
  const interval = (estimate: number) => ({
    estimate,
    low: estimate - 0.03,
    high: estimate + 0.03,
    n: 400,
    subjects: 100,
  });
  const arm = (name: string, accuracy: number, difference: number | null): StudyResults["arms"][number] => ({
    ...{ name, about: `about ${name}`, dimensions: ["algorithm"], figures: {}, training: {} },
    reasoning: {
      ...{ right_lengths: [20, 25, 30, 35, 40], wrong_lengths: null, tokens_per_right: 52.5 },
      ...{ false_statements: 0.125, invented_findings: null },
      by_chain_length: [
        { statements: 4, n: 20, accuracy: 0.75 },
        { statements: 3, n: 20, accuracy: 0.5 },
      ],
    },
    runs: [1, 2].map((seed) => ({
      ...{
        seed,
        folder: `${name}-${seed}`,
        status: seed === 2 && name === "dapo" ? ("failed" as const) : ("finished" as const),
      },
      ...{ message: null, accuracy, reward: { first: 0.4, last: 0.6 }, seconds: 60 },
    })),
    accuracy: { ...interval(accuracy), seed_sd: 0.01 },
    difference:
      difference === null
        ? null
        : {
            ...interval(difference),
            p: 0.01,
            p_holm: 0.02,
            by_seed: [1, 2].map((seed) => ({ seed, difference: difference + seed / 100 })),
          },
    verdict:
      difference === null
        ? null
        : {
            ...{
              verdict: difference > 0.03 ? "improved" : "not_shown",
              against: "sft",
              chosen_on: "these questions",
              difference: interval(difference),
            },
            ...{ p: 0.01, p_holm: 0.02, unbeaten: difference > 0.03 ? [] : ["sft"], detectable_difference: 0.04 },
          },
    cost: { seconds: 60, ratio: 1 },
  });
  const prediction = (
    name: string,
    direction: "higher" | "lower" | "same",
    verdict: StudyResults["predictions"][number]["verdict"],
    difference: number,
  ): StudyResults["predictions"][number] => ({
    ...{ arm: name, against: "sft", measure: "accuracy", unit: "share", direction, margin: null, verdict },
    ...{ because: `${name} explores`, components: null, power: { detectable_difference: 0.04, power: 0.9 } },
    values: { arm: 0.6 + difference, against: 0.6 },
    difference: { ...interval(difference), p: 0.004, p_holm: 0.012 },
  });
  const task = (before: number, after: number, more: number | null) => ({
    ...{ before, after, change: { ...interval(after - before), p: 0.01 } },
    over_control: more === null ? null : { ...interval(more), p: 0.01 },
  });
  const results: StudyResults = {
    ...{
      version: 1,
      name: "arms",
      about: "three arms",
      created: "2026-11-29T00:00:00Z",
      method: "paired",
      seeds: [1, 2],
      reference: "sft",
      baselines: ["sft", "dapo"],
    },
    arms: [arm("sft", 0.6, null), arm("grpo", 0.66, 0.06), arm("dapo", 0.61, 0.01)],
    dimensions: [
      { name: "algorithm", arms: ["grpo", "dapo"], effect: { ...interval(0.035), p: 0.02, p_holm: 0.02 } },
      { name: "unmeasured", arms: ["dapo"], effect: null },
    ],
    outcomes: [
      {
        ...{ measure: "length", about: "tokens of all the completions that there are", unit: "tokens", better: null },
        arms: [12, -3].map((difference, i) => ({
          arm: ["grpo", "dapo"][i]!,
          difference: {
            ...{ estimate: difference, low: difference - 5, high: difference + 5, n: 400, subjects: 100 },
            ...{ p: 0.01, p_holm: 0.02, by_seed: [1, 2].map((seed) => ({ seed, difference: difference + seed })) },
          },
        })),
      },
    ],
    predictions: [
      prediction("grpo", "higher", "held", 0.06),
      prediction("dapo", "lower", "failed", 0.05),
      { ...prediction("dapo", "same", "undecided", 0.01), margin: 0.02 },
      { ...prediction("gone", "higher", "not run", 0), difference: null, values: null },
    ],
    retention: {
      ...{ stratum: "modality", old: ["ct"], new: ["mr", "us"], control: "sft" },
      arms: [
        { name: "sft", old: task(0.6, 0.4, null), new: task(0.3, 0.7, null) },
        { name: "grpo", old: task(0.6, 0.55, 0.15), new: null },
      ],
    },
    generalisation: {
      ...{ stratum: "modality", columns: ["ct", "mr"] },
      tables: [
        {
          ...{ shots: 0, base: [0.5, 0.4] },
          rows: [{ arm: "grpo", trained_on: "ct", scores: [0.6, 0.3], relative: [0.2, -0.25], retention: 0.75 }],
        },
      ],
    },
    ...{ ranking: ["grpo", "dapo", "sft"], shared: [] },
  };
  writeFileSync(join(folder, "study.json"), JSON.stringify(results));
  const report = "<!doctype html><title>arms</title><h1>A report</h1><script>document.title = 'ran'</script>";
  writeFileSync(join(folder, "report.html"), report);
}

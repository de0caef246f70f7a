import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { studyResultsJsonSchema } from "../runs/study-results.ts";
import { estimateRun, remainingSeconds, timingKey } from "./estimate.ts";
import { studyPaths } from "./folder.ts";
import { loadStudy } from "./load.ts";
import { planRuns } from "./plan.ts";
import { studyResults } from "./results.ts";
import { studyJsonSchema } from "./schema.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-study-"));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "model"));

const sft = { kind: "sft", steps: 10 };
const grpo = { kind: "grpo", steps: 20, max_completion_length: 32, rewards: { accuracy: 1 } };
const study = {
  name: "s",
  seeds: [1, 2],
  reference: "plain",
  base: {
    model: { path: "./model" },
    data: { train: { name: "phantom" }, eval: { name: "phantom" } },
    stages: [sft, grpo],
    evaluate: { every: 8 },
  },
  arms: [
    { name: "plain" },
    { name: "kl", dimensions: ["bias"], set: { "stages.1.beta": 0.04 } },
    { name: "kl_none", dimensions: ["bias"], from: "kl", set: { "stages.1.scale_rewards": "none" } },
    { name: "dr", set: { "stages.1.kind": "dr_grpo" } },
    { name: "other", set: { "stages.0.target": "rationale_answer" } },
    { name: "twin", from: "kl" },
    { name: "adapters", weights: "plain", set: { stages: [grpo], "model.lora": { r: 4 } } },
  ],
  quick: { seeds: [1], arms: ["adapters"], scale_steps: 0.25, set: { "data.eval.limit": 5 } },
};

function load(content: object, quick = false) {
  const file = join(folder, "study.yaml");
  writeFileSync(file, stringify(content));
  return loadStudy(file, { quick });
}

describe("an arm's recipe", () => {
  test("is the base with the changes of its ancestors and its own; defaults follow the changes", () => {
    const { arms } = load(study);
    const stage = (name: string) => arms.find((arm) => arm.name === name)!.recipe.stages[1];
    expect(stage("kl_none")).toMatchObject({ kind: "grpo", beta: 0.04, scale_rewards: "none" });
    expect(stage("dr")).toMatchObject({ kind: "dr_grpo", loss_type: "dr_grpo" });
    expect(arms[0]!.recipe.model.path).toBe(join(folder, "model"));
    expect(arms[0]!.recipe.evaluate!.max_completion_length).toBe(32);
  });

  test("--quick shortens stages, and keeps the named arms, the reference and their dependencies", () => {
    const { arms, seeds } = load(study, true);
    expect(seeds).toEqual([1]);
    expect(arms.map(({ name }) => name)).toEqual(["plain", "adapters"]);
    expect(arms[0]!.recipe.stages.map(({ steps }) => steps)).toEqual([3, 5]);
    expect(arms[0]!.recipe.data.eval!.limit).toBe(5);
  });

  test.each([
    [{ seed: [1] }, "line 21: unknown key seed; did you mean seeds?"],
    [{ arms: [{ name: "plain", dimension: "x" }] }, /unknown key arms\.0\.dimension; did you mean dimensions\?$/],
    [{ arms: [{ name: "a b" }] }, /arms\.0\.name must be a name of letters, .*, got "a b"$/],
    [{ arms: [] }, /arms must be a list of at least one arm, got \[\]$/],
    [{ seeds: [1, 2, 1] }, /line \d+: seeds: 1 is there twice, and would be one run counted as two$/],
    [{ arms: [{ name: "plain", set: { seed: 3 } }] }, /arms\.0\.set: seed is no change of an arm: the study's seeds/],
    [{ reference: "plan" }, /line 5: reference: there is no arm plan; did you mean plain\?$/],
    [{ arms: [{ name: "plain" }, { name: "Plain" }] }, /arms\.1\.name: Plain is taken$/],
    [{ arms: [{ name: "plain", from: "b" }, { name: "b" }] }, /arms\.0\.from: b must come before plain$/],
    [
      { arms: [{ name: "plain", set: { "stages.0.stps": 1 } }] },
      /arm plain: unknown key stages\.0\.stps; did you mean steps\?$/,
    ],
    [
      { arms: [{ name: "plain", set: { "stages.9.steps": 1 } }] },
      /arm plain: stages\.9\.steps: stages is a list and has no 9; .*/,
    ],
    [{ base: "none.yaml" }, /base: nothing at .*none\.yaml$/],
  ])("%j is refused in one sentence", (change, message) => {
    const expected =
      typeof message === "string" ? new RegExp(`study\\.yaml, .*${message.slice(8).replace("?", "\\?")}$`) : message;
    expect(() => load({ ...study, quick: {}, ...change })).toThrow(expected);
  });
});

describe("the plan", () => {
  const runs = planRuns(load(study));
  const of = (name: string) => runs.find(({ arm, seed }) => arm === name && seed === 1)!;

  test("arms with equal first stages share one run of them, other arms do not", () => {
    expect(runs).toHaveLength(2 * 8);
    const start = runs.find(({ folder }) => folder.startsWith("prefixes/sft-"))!;
    expect(start.recipe.stages).toHaveLength(1);
    for (const name of ["plain", "kl", "kl_none", "dr"]) {
      expect(of(name)).toMatchObject({ parent: start.folder, inherited: 1 });
    }
    expect(of("other").parent).toBeNull();
    expect(of("twin")).toMatchObject({ parent: "runs/kl-seed1", inherited: 2 });
    expect(of("adapters")).toMatchObject({ parent: null, weights: "runs/plain-seed1" });
    for (const [i, run] of runs.entries()) {
      const before = runs.slice(0, i).map(({ folder }) => folder);
      for (const needed of [run.parent, run.weights]) if (needed !== null) expect(before).toContain(needed);
    }
  });

  test("estimates are steps, evaluations and the start of each run's own stages, corrected by finished runs", () => {
    const timing = { start: 5, step: 1, evaluation: 2, examples: 100 };
    const timings = Object.fromEntries(
      runs.flatMap(({ recipe }) => recipe.stages.map((stage) => [timingKey(recipe, stage), timing])),
    );
    // Steps 11 to 30: evaluated at 16, 24 and 30.
    expect(estimateRun(of("plain"), timings)).toBe(5 + 20 + 3 * 2);
    // Steps 1 to 30, evaluated at 0, 8, 10, 16, 24, 30.
    expect(estimateRun(of("other"), timings)).toBe(5 + 30 + 6 * 2);
    const estimates = new Map(runs.map((run) => [run.folder, 10]));
    expect(remainingSeconds(runs, estimates, new Map())).toBe(160);
    // Twice as slow as estimated: plain of seed 2 takes as long as plain of seed 1, all others twice their estimate.
    expect(remainingSeconds(runs, estimates, new Map([["runs/plain-seed1", 20]]))).toBe(20 + 14 * 20);
  });
});

test("an arm's reward is that of all sampled completions, even if a filter keeps only some groups", () => {
  const { arms, ...rest } = load(study);
  const one = { ...rest, seeds: [1], arms: arms.slice(0, 1) };
  const run = planRuns(one).find(({ arm }) => arm === "plain")!;
  const place = join(folder, "done", run.folder);
  const lines = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
  const rewardOf = (metrics: readonly object[]) => {
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "recipe.yaml"), "");
    writeFileSync(join(place, "events.jsonl"), lines([{ event: "run_end" }]));
    writeFileSync(join(place, "metrics.jsonl"), lines(metrics));
    return studyResults(one, [run], studyPaths(join(folder, "done"))).arms[0]!.runs[0]!.reward;
  };
  const kept = [0.5, 0.5, 0.5, 0.5, 0.5].map((value, i) => ({ step: i + 1, "reward/mean": value }));
  expect(rewardOf(kept)).toEqual({ first: 0.5, last: 0.5 });
  const sampled = kept.map((line, i) => ({ ...line, "reward/sampled_mean": (i + 1) / 10 }));
  expect(rewardOf(sampled)).toEqual({ first: 0.1, last: 0.5 });
});

test.each([
  ["study", studyJsonSchema],
  ["study-results", studyResultsJsonSchema],
])("docs/schemas/%s.json is the schema", (name, schema) => {
  const stored = readFileSync(new URL(`../../docs/schemas/${name}.json`, import.meta.url), "utf8");
  expect(JSON.parse(stored), "node --import tsx scripts/write-schemas.ts writes it").toEqual(schema());
});

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { crossedBootstrap, crossedRatioDifference, type PairedParts } from "../evaluate/index.ts";
import { studyResultsSchema } from "../runs/study-results.ts";
import { studyPaths } from "./folder.ts";
import { loadStudy } from "./load.ts";
import { planRuns } from "./plan.ts";
import { componentsOf, powerOf } from "./power.ts";
import { studyResults } from "./results.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-predictions-"));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "model"));

const predicts = [
  { arm: "long", measure: "length", direction: "higher", because: "every token earns" },
  { arm: "long", direction: "higher", because: "wrong: it costs" },
  { arm: "true", measure: "invented_findings", direction: "lower", because: "statements are checked" },
  { arm: "true", direction: "same", margin: 0.02, because: "the answer is rewarded alike" },
  { arm: "noisy", direction: "higher", because: "nobody knows" },
];
const names = ["plain", "long", "true", "noisy"];
const file = {
  name: "p",
  seeds: [1, 2, 3],
  reference: "plain",
  base: {
    model: { path: "./model" },
    data: { train: { name: "phantom" }, eval: { name: "phantom" } },
    stages: [{ kind: "sft", steps: 1 }],
  },
  arms: names.map((name, i) => ({ name, set: { "stages.0.learning_rate": 1e-4 * (i + 1) } })),
  predicts,
};

function load(content: object) {
  const path = join(folder, "study.yaml");
  writeFileSync(path, stringify(content));
  return loadStudy(path, { quick: false });
}

/** A scripted arm: what it answers to question `i` with a seed. */
type Script = (
  i: number,
  seed: number,
) => { readonly strict: 0 | 1; readonly tokens: number; readonly invented: 0 | 1 };

const right = (i: number): 0 | 1 => (i % 5 < 3 ? 1 : 0);
const scripts: Readonly<Record<string, Script>> = {
  plain: (i) => ({ strict: right(i), tokens: 40 + (i % 7), invented: i % 4 === 0 ? 1 : 0 }),
  long: (i) => ({ strict: i % 5 < 2 ? 1 : 0, tokens: 60 + (i % 7), invented: i % 4 === 0 ? 1 : 0 }),
  true: (i) => ({ strict: right(i), tokens: 40 + (i % 7), invented: 0 }),
  noisy: (i, seed) => ({ strict: (i + seed) % 2 === 0 ? right(i) : right(i + 1), tokens: 40, invented: 0 }),
};

function writeRun(at: string, arm: string, seed: number): void {
  const lines = (name: string, rows: readonly object[]) =>
    writeFileSync(join(at, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "recipe.yaml"), "");
  lines("events.jsonl", [{ event: "run_end" }]);
  lines("metrics.jsonl", [{ step: 1, "time/step_s": 2 }]);
  const items = Array.from({ length: 200 }, (_, i) => {
    const { strict, tokens, invented } = scripts[arm]!(i, seed);
    const statements = { right: 3, wrong: invented, asserted: 2, invented };
    const example = { example_id: `e${i}`, subject_id: `s${i}`, strata: { chain_length: String(3 + (i % 3)) } };
    return { kind: "item", ...example, strict, tokens, statements };
  });
  lines("evals.jsonl", [...items, { kind: "summary", step: 1, stage: "0", subsets: {} }]);
}

function ran(content: object, skip: readonly string[] = []) {
  const study = load(content);
  const runs = planRuns(study);
  const place = mkdtempSync(join(folder, "run-"));
  for (const { folder: own, arm, seed } of runs) {
    if (!skip.includes(arm!)) writeRun(join(place, own), arm!, seed);
  }
  return studyResults(study, runs, studyPaths(place));
}

describe("predictions of a scripted study", () => {
  const results = ran(file);

  test("hold, fail or stay undecided as the scripts have it", () => {
    expect(studyResultsSchema.parse(results)).toEqual(results);
    const found = results.predictions;
    expect(found.map(({ verdict }) => verdict)).toEqual(["held", "failed", "held", "held", "undecided"]);
    expect(found[0]).toMatchObject({ against: "plain", unit: "tokens", power: null });
    expect(found[0]!.difference!.estimate).toBeCloseTo(20, 9);
    expect(found[1]!.difference!.estimate).toBeCloseTo(-0.2, 9);
    expect(found[1]!.values).toEqual({ arm: 0.4, against: 0.6 });
    // A quarter of the questions has one invented finding of two asserted.
    expect(found[2]!.difference!.estimate).toBeCloseTo(-0.125, 9);
    for (const { difference } of found) expect(difference!.p_holm).toBeGreaterThanOrEqual(difference!.p);
  });

  test("every measure that the questions have is an outcome, paired as its prediction is", () => {
    const outcomes = results.outcomes!;
    expect(outcomes.map(({ measure }) => measure)).toEqual([
      ...["length", "right_length", "wrong_length", "tokens_per_right", "false_statements", "invented_findings"],
    ]);
    const { unit, better, arms } = outcomes[0]!;
    expect([unit, better, arms.map(({ arm }) => arm)]).toEqual(["tokens", null, ["long", "true", "noisy"]]);
    expect(arms[0]!.difference.estimate).toBeCloseTo(results.predictions[0]!.difference!.estimate, 9);
    expect(arms[0]!.difference.by_seed.map(({ difference }) => Math.round(difference))).toEqual([20, 20, 20]);
    expect(arms[0]!.difference.low).toBeGreaterThan(19);
    expect(outcomes[5]!.arms[1]!.difference.estimate).toBeCloseTo(-0.125, 9);
  });

  test("an arm that did not run leaves its predictions open", () => {
    const partly = ran(file, ["noisy"]);
    expect(partly.predictions.map(({ verdict }) => verdict).at(-1)).toBe("not run");
    expect(partly.predictions[0]!.verdict).toBe("held");
  });

  test("arms have their lengths, costs, false statements and accuracy by chain length", () => {
    const plain = results.arms[0]!.reasoning!;
    expect(plain.right_lengths).toEqual([40, 41, 43, 45, 46]);
    expect(plain.tokens_per_right).toBeCloseTo((42.975 * 200) / 120, 1);
    expect(plain.by_chain_length.map(({ statements, n }) => [statements, n])).toEqual([
      [3, 201],
      [4, 201],
      [5, 198],
    ]);
    expect(plain.false_statements).toBeCloseTo(50 / 650, 9);
    expect(plain.invented_findings).toBeCloseTo(50 / 400, 9);
  });

  test("a pilot gives the power for more seeds", () => {
    const pilot = join(folder, "pilot.json");
    writeFileSync(pilot, JSON.stringify(results));
    const more = ran({ ...file, seeds: [1, 2, 3, 4, 5, 6], pilot });
    const [longer, , , same, noisy] = more.predictions;
    expect(longer!.power!.power).toBeGreaterThan(0.999);
    expect(same!.power!.detectable_difference).toBeLessThan(1e-6);
    expect(noisy!.power!.detectable_difference).toBeGreaterThan(0.02);
    expect(() => ran({ ...file, pilot: "nowhere.json" })).toThrow(`pilot: nothing at ${join(folder, "nowhere.json")}`);
    expect(readFileSync(pilot, "utf8")).toContain("components");
  });

  test.each<[object, RegExp]>([
    [{ ...predicts[0], arm: "lang" }, /study\.yaml.*: predicts\.0\.arm: there is no arm lang; did you mean long\?/],
    [{ ...predicts[0], arm: "plain" }, /predicts\.0: plain is compared with itself/],
    [{ ...predicts[0], direction: "same" }, /predicts\.0: a margin belongs to direction: same/],
    [{ ...predicts[0], margin: 2 }, /predicts\.0: a margin belongs to direction: same/],
    [{ ...predicts[0], measure: "speed" }, /predicts\.0\.measure must be one of accuracy, lenient_accuracy/],
    [{ arm: "long", direction: "higher" }, /predicts\.0.*because/],
  ])("refuses %j", (prediction, message) => {
    expect(() => load({ ...file, predicts: [prediction] })).toThrow(message);
  });
});

describe("ratios and components", () => {
  const values = Array.from({ length: 300 }, (_, i): PairedParts => {
    const [subject, seed] = [i % 100, Math.floor(i / 100)];
    const a = Math.sin(subject) + 0.5 * seed + 0.3 * Math.sin(17 * i);
    return { subject: `s${subject}`, seed, arm: [a, 1], other: [0, 1] };
  });

  test("a ratio over ones is the mean, with the crossed bootstrap's interval", () => {
    const mean = crossedBootstrap(values.map(({ subject, seed, arm }) => ({ subject, seed, value: arm[0] })))!;
    const ratio = crossedRatioDifference(values)!;
    for (const key of ["estimate", "low", "high", "p"] as const) expect(ratio[key]).toBeCloseTo(mean[key], 9);
  });

  test("components are those of the layout: seeds 0, 0.5, 1; subjects a sine; a rest", () => {
    const { seed, subject, residual } = componentsOf(values)!;
    expect(seed).toBeCloseTo(0.5, 1);
    expect(subject).toBeCloseTo(Math.SQRT1_2, 1);
    expect(residual).toBeCloseTo(0.3 * Math.SQRT1_2, 1);
    expect(componentsOf(values.filter((one) => one.seed === 0))).toBeNull();
  });

  test("power rises with seeds, and is 80 % at the detectable difference", () => {
    const components = { seed: 0.02, subject: 0.4, residual: 0.2 };
    const [few, many] = [3, 12].map((seeds) => powerOf(components, seeds, 500, 0.05)) as [
      ReturnType<typeof powerOf>,
      ReturnType<typeof powerOf>,
    ];
    expect(many.detectable_difference).toBeLessThan(few.detectable_difference);
    expect(many.power).toBeGreaterThan(few.power);
    expect(powerOf(components, 3, 500, few.detectable_difference).power).toBeCloseTo(0.8, 3);
  });

  test("a ratio without a denominator is none", () => {
    expect(crossedRatioDifference(values.map((one) => ({ ...one, other: [1, 0] as const })))).toBeNull();
  });
});

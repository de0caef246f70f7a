import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { auditSchema } from "../../src/evaluate/audit/run.ts";
import { type ProbeResults, probesSchema } from "../../src/evaluate/probes/results.ts";
import { findProbes } from "../../src/evaluate/probes/run.ts";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const data = ["--data", "phantom_world", "--limit", "26", "--max-completion-length", "6"];
const resultsOf = (file: string): ProbeResults => {
  return probesSchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8")));
};
const estimateOf = (results: ProbeResults, probe: string, name: string, condition: string) => {
  const { measures } = results.probes.find((one) => one.probe === probe)!;
  return measures.find((one) => one.name === name && one.condition === condition)!.interval!.estimate;
};

const MINUTES = 5 * 60_000; // the machine may be busy

beforeAll(async () => {
  const world = (split: string, limit: number) => ({ name: "phantom_world", split, limit });
  const recipe = {
    ...tinyRecipe({ model: writeTinyModel(join(folder, "model")), data: "" }),
    data: { train: world("train", 64), eval: world("test", 8) },
    prompt: "think_answer",
    stages: [{ kind: "sft", steps: 4, batch_size: 8, target: "rationale_answer", learning_rate: 0.03 }],
    checkpoint: { every: 4 },
    evaluate: null,
  };
  writeRecipe(join(folder, "tiny.yaml"), recipe);
  await vivaOk(folder, "train", "tiny.yaml", "--run", "run", "--no-report");
}, MINUTES);

describe("viva probe", { timeout: MINUTES }, () => {
  it("runs all probes that apply and says why the others do not", async () => {
    const { stdout } = await vivaOk(folder, "probe", "run", ...data, "--out", "all.json", "--samples", "all.jsonl");
    const results = resultsOf("all.json");
    expect(results.probes.map(({ probe }) => probe)).toEqual(findProbes([]));
    expect(results).toMatchObject({ protocol: "viva", prompt: "think_answer", data: { name: "phantom_world" } });
    expect(results.probes.find(({ probe }) => probe === "judge")!.skipped).toMatch(/^no judge is given/);
    const asked = ["form", "image_grounding", "answer_prior", "question_only", "paraphrase", "mirror", "quantized"];
    for (const name of [...asked, "option_position", "noise", "contrast", "decoding", "length_bias"]) {
      expect(results.probes.find(({ probe }) => probe === name)!.skipped, name).toBeNull();
    }
    expect(stdout).toMatch(/^form: format rate/);
    expect(stdout).toContain("not applicable\n");
    expect(stdout.trim().split("\n").at(-1)).toBe("results: all.json");
    const lines = jsonLines(folder, "all.jsonl");
    expect(lines.filter(({ variant }) => variant === "plain")).toHaveLength(26);
    expect(lines.filter(({ variant }) => variant === "int4 weights")).toHaveLength(26);
  });

  it("agrees with viva eval about the plain questions and about blank and wrong images", async () => {
    const baselines = ["--baseline", "blank_image,wrong_image", "--no-nearest-neighbour"];
    await vivaOk(folder, "eval", "run", ...data, ...baselines, "--out", "eval.jsonl");
    const { subsets } = jsonLines(folder, "eval.jsonl").at(-1);
    const grounding = ["--probe", "image_grounding", "--probe", "decoding"];
    await vivaOk(folder, "probe", "run", ...data, ...grounding, "--out", "some.json");
    const results = resultsOf("some.json");
    const all = resultsOf("all.json"); // what else is asked changes nothing
    expect(results.probes).toEqual(all.probes.filter(({ probe }) => grounding.includes(probe)));
    const accuracy = (condition: string) => estimateOf(results, "image_grounding", "accuracy", condition);
    expect(accuracy("right image")).toBe(subsets.overall.accuracy.estimate);
    expect(accuracy("blank image")).toBe(subsets.overall.baselines.blank_image.accuracy);
    expect(accuracy("wrong image")).toBe(subsets.overall.baselines.wrong_image.accuracy);
  });

  it("takes chosen probes, an untuned model, and prints JSON", async () => {
    const chosen = ["--probe", "semantic", "--probe", "form", "--untuned", "run", "--out", "two.json", "--json"];
    const { stdout } = await vivaOk(folder, "probe", "run", ...data, ...chosen);
    const results = probesSchema.parse(JSON.parse(stdout));
    expect(results).toEqual(resultsOf("two.json"));
    expect(results.probes.map(({ probe }) => probe)).toEqual(["semantic", "form"]);
    const [{ skipped, measures }] = results.probes as [ProbeResults["probes"][number]];
    expect(skipped).toBeNull();
    // Under the model itself greedy rationales are likely: far below the 2,045 of guessing.
    expect(measures.find(({ name }) => name === "perplexity_untuned")!.interval!.estimate).toBeLessThan(200);
  });

  it("answers mistakes by one sentence", async () => {
    writeRows(join(folder, "bad.jsonl"), [{ question: "?", answer: "yes", completion: "x", verdict: "maybe" }]);
    const judge = ["--judge-url", "http://127.0.0.1:9/v1", "--judge-model", "m"];
    const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
      [["--probe", "mirrors"], /unknown probe "mirrors" \(did you mean "mirror"\?\)/],
      [["--judge-url", "http://x/v1"], /--judge-url and --judge-model belong together/],
      [["--calibration", "bad.jsonl"], /--calibration is for a judge/],
      [["--probe", "form", "--untuned", "run"], /--untuned is for the probe semantic, which --probe does not include/],
      [[...judge, "--calibration", "bad.jsonl"], /bad\.jsonl:1: field "verdict"/],
      [["--protocol", "vivo"], /unknown protocol "vivo"/],
    ];
    const said = mistakes.map(([args]) => viva(folder, "probe", "run", ...data, "--out", "no.json", ...args));
    for (const [i, { code, stderr }] of (await Promise.all(said)).entries()) {
      const [, message] = mistakes[i]!;
      expect([code, stderr.trim().split("\n").length], stderr).toEqual([2, 1]);
      expect(stderr).toMatch(message);
    }
    const { code, stderr } = await viva(
      folder,
      "eval",
      "run",
      ...data,
      "--baseline",
      "blank_imag",
      "--out",
      "no.jsonl",
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('did you mean "blank_image"?')]);
  });
});

describe("viva audit", { timeout: MINUTES }, () => {
  it("draws from the pool, grades every answer, and reports rates that its samples confirm", async () => {
    const asked = ["--queries", "40", "--out", "audit.json", "--samples", "audit.jsonl"];
    const { stdout } = await vivaOk(folder, "audit", "run", ...data, ...asked);
    const results = auditSchema.parse(JSON.parse(readFileSync(join(folder, "audit.json"), "utf8")));
    const rows = jsonLines(folder, "audit.jsonl");
    expect(rows).toHaveLength(40);
    expect(results).toMatchObject({ queries: 40, pool: 26, distinct: new Set(rows.map((row) => row.example_id)).size });
    const failed = rows.filter(({ grade }) => grade <= 3);
    expect(results.failures).toBe(failed.length);
    const rateOf = (rows: readonly { weight: number }[]) => rows.reduce((sum, { weight }) => sum + weight, 0) / 40;
    expect(results.failure_rate).toBeCloseTo(rateOf(failed), 9);
    expect(results.poor_reason_rate).toBeCloseTo(rateOf(failed.filter(({ strict }) => strict === 1)), 9);
    expect(results.poor_reason_rate).toBeLessThanOrEqual(results.failure_rate);
    expect(rows.slice(0, 10).map(({ weight }) => weight)).toEqual(new Array(10).fill(1)); // the first quarter is uniform
    expect(stdout).toMatch(/^40 queries, \d+ of 26 questions; mean grade/);
    expect(stdout.trim().split("\n").at(-1)).toBe("results: audit.json");
  });

  it("asks for exactly one that answers", async () => {
    const { code, stderr } = await viva(folder, "audit", ...data, "--out", "none.json");
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("viva audit needs one of: a checkpoint, --endpoint URL"),
    ]);
  });
});

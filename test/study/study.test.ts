/**
 * viva study through the command line: shared prefixes equal unshared runs, failures are isolated, killed runs are
 * resumed.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { runStudy } from "../../src/library/study.ts";
import { studyResultsSchema } from "../../src/runs/study-results.ts";
import { interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "../cli/command-line.ts";
import { readRecord } from "../cli/record.ts";
import { tinyRecipe, writeFilms, writeTinyModel } from "../cli/tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const { name: _, seed: __, ...base } = tinyRecipe({ model: at("model"), data: at("films") });
const [supervised, rollout] = base.stages;

/** Arms on one shared prefix, which is itself an arm; one with adapters on its weights; one whose reward throws. */
const study = {
  name: "tiny",
  seeds: [7, 8],
  base,
  reference: "plain",
  arms: [
    {
      name: "sft",
      dimensions: ["baselines"],
      set: { stages: [supervised], "evaluate.max_completion_length": 4 },
    },
    { name: "plain" },
    { name: "none", dimensions: ["bias"], set: { "stages.1.scale_rewards": "none" } },
    {
      name: "broken",
      dimensions: ["bias"],
      from: "none",
      set: { "stages.1.rewards.bad": { weight: 1, module: "./bad.mjs" } },
    },
    {
      name: "lora",
      dimensions: ["baselines"],
      weights: "sft",
      set: { stages: [rollout], "model.lora": { r: 2 } },
    },
  ],
  quick: { seeds: [7], arms: ["none"], scale_steps: 0.5 },
};

/** Processes start slowly on a busy machine. */
const patience = 300_000;

beforeAll(async () => {
  writeTinyModel(at("model"));
  await writeFilms(at("films"));
  writeFileSync(at("bad.mjs"), "export default { name: 'bad', score() { throw new Error('bad reward'); } };\n");
  writeFileSync(at("study.yaml"), stringify(study));
}, patience);

const results = (run: string) => studyResultsSchema.parse(JSON.parse(readFileSync(at(run, "study.json"), "utf8")));

describe("a study", () => {
  it("isolates a failed arm, and its shared prefixes equal separate runs", { timeout: patience }, async () => {
    const { code, stderr } = await viva(folder, "study", "study.yaml", "--run", "whole", "--seeds", "7");
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/runs\/broken-seed7 failed: reward "bad" .* failed: bad reward/);
    const { arms, reference, shared, ranking } = results("whole");
    expect(reference).toBe("plain");
    expect(shared).toEqual([
      {
        folder: "runs/sft-seed7",
        stages: ["sft 4"],
        used_by: ["plain", "none", "broken"].map((name) => `runs/${name}-seed7`),
      },
    ]);
    expect(arms.map(({ name, runs }) => [name, runs.map(({ status }) => status)])).toEqual([
      ["sft", ["finished"]],
      ["plain", ["finished"]],
      ["none", ["finished"]],
      ["broken", ["failed"]],
      ["lora", ["finished"]],
    ]);
    expect(ranking).not.toContain("broken");
    expect(readFileSync(at("whole/report.html"), "utf8")).toContain('<section id="dimension-0">');

    // The arm's own recipe, trained as a whole: bit-identical; only the preflight names its own longest example.
    await vivaOk(folder, "train", "whole/runs/plain-seed7/recipe.yaml", "--run", "alone", "--quiet", "--no-report");
    const seen = (run: string) => {
      const { events, ...record } = readRecord(at(run));
      return { ...record, events: events.filter(({ event }) => event !== "preflight") };
    };
    expect(seen("whole/runs/plain-seed7")).toEqual(seen("alone"));
    for (const file of ["model.safetensors", "optimizer.safetensors", "reference.safetensors"]) {
      const [a, b] = ["whole/runs/plain-seed7", "alone"].map((run) =>
        readFileSync(at(run, "checkpoints/step-000008", file)),
      );
      expect(a!.equals(b!), file).toBe(true);
    }
  });

  it("stopped and killed, resumes where it was and runs nothing twice", { timeout: patience }, async () => {
    const args = ["study", "study.yaml", "--run", "cut", "--quick"];
    const steps = (run: string) => {
      const file = at("cut/runs", run, "metrics.jsonl");
      return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
    };
    const stopped = await interrupted(folder, args, { signal: "SIGINT", when: () => steps("plain-seed7") > 2 });
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(existsSync(at("cut/runs/plain-seed7/.lock"))).toBe(false);
    const again = ["study", "--run", "cut", "--resume"];
    await interrupted(folder, again, { signal: "SIGKILL", when: () => steps("none-seed7") > 2 });
    // The killed study's last run notices that its reader is gone, and ends.
    await expect.poll(() => existsSync(at("cut/runs/none-seed7/.lock")), { timeout: 60_000 }).toBe(false);
    await vivaOk(folder, ...again);
    const starts = jsonLines(at("cut"), "journal.jsonl").filter(({ event }) => event === "run_start");
    expect(starts.filter(({ run }) => run.startsWith("prefixes/"))).toHaveLength(1);
    expect(jsonLines(at("cut/runs/plain-seed7"), "metrics.jsonl")).toHaveLength(4);
    expect(results("cut").arms.map(({ runs }) => runs.map(({ status }) => status))).toEqual([
      ["finished"],
      ["finished"],
    ]);

    // From a program, asked for one arm: the same files, of all that is finished.
    const { created: _, ...written } = results("cut");
    rmSync(at("cut/report.html"));
    await runStudy(at("study.yaml"), { folder: at("cut"), resume: true, quick: true, arms: ["plain"] });
    expect(results("cut")).toMatchObject(written);
    expect(existsSync(at("cut/report.html"))).toBe(true);

    writeFileSync(at("other.yaml"), stringify({ ...study, quick: { ...study.quick, scale_steps: 1 } }));
    const changed = await viva(folder, "study", "other.yaml", "--quick", "--run", "cut", "--resume");
    expect(changed.stderr).toMatch(
      /^error: the study file differs from the study of \S+ \(arm plain, arm none\); .*\n$/,
    );
    expect(changed.code).toBe(2);
  });
});

/** viva study through the command line: shared starts equal unshared runs, failures stay alone, a kill is made good. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { studyResultsSchema } from "../../src/runs/study-results.ts";
import { interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "../cli/command-line.ts";
import { readRecord } from "../cli/record.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "../cli/tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const { name: _, seed: __, ...base } = tinyRecipe({ model: at("model"), data: at("films") });

/** Three arms on one start, one of them the start itself; adapters on its weights; one whose reward module throws. */
const study = {
  name: "tiny",
  seeds: [7, 8],
  base,
  reference: "plain",
  arms: [
    { name: "sft", dimensions: ["baselines"], set: { stages: base.stages.slice(0, 1), "evaluate.max_completion_length": 4 } },
    { name: "plain" },
    { name: "none", dimensions: ["bias"], set: { "stages.1.scale_rewards": "none" } },
    { name: "broken", dimensions: ["bias"], from: "none", set: { "stages.1.rewards.bad": { weight: 1, module: "./bad.mjs" } } },
    {
      name: "lora",
      dimensions: ["baselines"],
      weights: "sft",
      set: { stages: base.stages.slice(1), "model.lora": { r: 2 } },
    },
  ],
  quick: { seeds: [7], arms: ["none"], scale_steps: 0.5 },
};

beforeAll(async () => {
  writeTinyModel(at("model"));
  await writeFilms(at("films"));
  await import("node:fs").then(({ writeFileSync }) =>
    writeFileSync(at("bad.mjs"), "export default { name: 'bad', score() { throw new Error('bad reward'); } };\n"),
  );
  writeRecipe(at("study.yaml"), study);
});

describe("a study", () => {
  it("runs all, leaves out a failed arm, and says so", async () => {
    const { code, stderr, stdout } = await viva(folder, "study", "study.yaml", "--run", "whole", "--seeds", "7");
    console.log(stdout, stderr);
    expect(code).toBe(1);
  });
});

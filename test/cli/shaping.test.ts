/** Shaped advantages in whole runs: the record has each token's own, and a run that goes on has the same as one never stopped. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const model = join(folder, "model");
const data = join(folder, "films");

/** One rollout stage of three steps with a checkpoint after the second. */
function write(name: string, change: object): string {
  const { stages, ...plain } = tinyRecipe({ model, data });
  const rollout = { ...stages[1], steps: 3, filter_groups: null, ...change };
  return writeRecipe(join(folder, name), { ...plain, stages: [rollout], evaluate: null, checkpoint: { every: 2 } });
}

const pattern = (id: string, pattern: string) => ({ id, kind: "goal", check: "pattern", pattern });
const rewards = {
  accuracy: 1,
  // Some of the texts that random weights write have such letters.
  checklist: { weight: 0.5, rules: [pattern("a", "[aeiou]"), pattern("b", "[r-z]")] },
};

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data);
});

it.each([
  ["process", { shaping: "process", rewards }],
  ["ucas", { shaping: "ucas", rewards, train_completions: 3, train_selection: "max_advantage" }],
  ["uadt", { shaping: "uadt", rewards, uadt_correct: "checklist" }],
  ["guideline", { shaping: "guideline", num_generations: 2, paradigms: { a: "Be brief.", b: "Be slow." }, rewards }],
])("%s: a run that goes on after its checkpoint has the record of one that was never stopped", async (name, change) => {
  await vivaOk(folder, "train", write(`${name}.yaml`, change), "--run", name, "--no-report", "--quiet");
  const whole = readRecord(join(folder, name));
  const sidecar = (run: string) => jsonLines(folder, `${run}/rollouts/step-000003.jsonl`);
  const perToken = sidecar(name).flatMap(({ completions }) => completions.map((one: object) => "advantages" in one));
  expect(new Set(perToken)).toEqual(new Set([name === "process" || name === "ucas"]));

  cpSync(join(folder, name), join(folder, "again"), { recursive: true });
  rmSync(join(folder, "again/checkpoints/step-000003"), { recursive: true });
  await vivaOk(folder, "train", "--run", "again", "--resume", "--no-report", "--quiet");
  expect(readRecord(join(folder, "again"))).toEqual(whole);
  expect(sidecar("again")).toEqual(sidecar(name));
  rmSync(join(folder, "again"), { recursive: true });
});

it("refuses a shaper whose reward the stage does not have, and options of a shaper that is not chosen", async () => {
  const check = (change: object) => viva(folder, "train", write("bad.yaml", change), "--run", "bad");
  expect((await check({ shaping: "process", rewards: { accuracy: 1 } })).stderr).toContain(
    "stages.0.process_reward must be the name of one of the stage's rewards, which shaping process reads",
  );
  expect((await check({ certainty: "sum" })).stderr).toContain("stages.0.certainty must keep its default");
});

/** viva check without sampling: what a recipe names, the memory it takes, and the verdict. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { checkJsonSchema, checkSchema } from "../../src/pipeline/check-schema.ts";
import { filesBelow, root, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { refusals, set } from "./mistakes.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
// Weights of 200 GB; only the configuration is here.
const vast = { intermediate_size: 2 ** 24, num_hidden_layers: 16, max_window_layers: 16 };

beforeAll(async () => {
  const data = await writeFilms(join(folder, "films"));
  writeRecipe(join(folder, "tiny.yaml"), tinyRecipe({ model: writeTinyModel(join(folder, "model")), data }));
  writeTinyModel(join(folder, "vast"), vast);
});

it("says what the recipe names and takes, runs no model and leaves nothing behind", async () => {
  const before = filesBelow(folder);
  const { stdout } = await vivaOk(folder, "check", "tiny.yaml", "--json", ...set("stages.1.steps=5"));
  const found = JSON.parse(stdout);
  expect(() => checkSchema.parse(found)).not.toThrow();
  expect(found).toMatchObject({ recipe: "tiny", can_run: true, steps: 9, samples: null });
  expect(found.model).toMatchObject({ path: join(folder, "model"), init: "random", lora_rank: null });
  expect(found.model.stop_token_ids).toContain(2042);
  expect(found.data).toMatchObject([
    { data: "data.train", name: "jsonl", split: "train", examples: 12, kept: 12, images: 12, dropped: {} },
    { data: "data.eval", name: "jsonl", split: "test", examples: 4, kept: 4, images: 4, dropped: {} },
  ]);
  expect(found.stages).toEqual([
    { stage: 0, kind: "sft", steps: 4, rewards: [] },
    { stage: 1, kind: "grpo", steps: 5, rewards: ["accuracy"] },
  ]);
  expect(found.memory).toMatchObject({ fits: true, changes: [], together_gb: null });
  expect(found.memory.largest_step.num_generations * found.memory.largest_step.prompts).toBeGreaterThan(1);
  expect(found.memory.available_gb).toBeGreaterThanOrEqual(found.memory.free_gb);
  expect(filesBelow(folder)).toEqual(before);
});

it("estimates the memory that training says", async () => {
  const [checked, trained] = await Promise.all([
    vivaOk(folder, "check", "tiny.yaml"),
    vivaOk(folder, "train", "tiny.yaml", "--run", "run", ...set("stages.0.steps=1", "stages.1.steps=1")),
  ]);
  const [, total] = /^memory: at most about (.+ GB) \(/m.exec(trained.stdout)!;
  expect(checked.stdout).toMatch(new RegExp(`^memory +at most about ${total}$`, "m"));
  expect(checked.stdout).toMatch(/^verdict +this recipe can run here$/m);
});

it("ends with code 1 where the memory is not there, and says what to change", async () => {
  const changed = set("model.path=vast");
  const { code, stdout } = await viva(folder, "check", "tiny.yaml", "--json", "--sample", "1", ...changed);
  const { can_run, memory, samples } = JSON.parse(stdout);
  expect([code, can_run, memory.fits, samples]).toEqual([1, false, false, null]);
  expect(memory.total_gb).toBeGreaterThan(memory.available_gb);
  const lora = memory.changes.find(({ change }: { change: string }) => change === "model.lora: {}");
  expect(lora.total_gb).toBeLessThan(memory.total_gb);
  expect(memory.together_gb).toBeLessThanOrEqual(memory.changes[0].total_gb);
  const text = await viva(folder, "check", "tiny.yaml", ...changed);
  expect(text.code).toBe(1);
  expect(text.stdout).toMatch(/^memory +at most about \d+ GB$/m);
  expect(text.stdout).toMatch(/^ {2}moments +\d+ GB$/m);
  expect(text.stdout).toMatch(/^this machine .*: it does not fit$/m);
  expect(text.stdout).toMatch(/^what helps +\S.*: \d+ GB, does not fit$/m);
  expect(text.stdout).toMatch(/^verdict +this recipe does not fit into the memory here$/m);
});

it("tells mistakes as training does", async () => {
  const refused = refusals(join(folder, "refused"));
  await refused(/nowhere\.yaml: no such recipe/, "check", "nowhere.yaml");
  await refused(/gone/, "check", join(folder, "tiny.yaml"), ...set(`model.path=${join(folder, "gone")}`));
  await refused(/unknown key sed; did you mean seed\?/, "check", join(folder, "tiny.yaml"), ...set("sed=1"));
});

it("docs/schemas/check.json is the schema", () => {
  expect(JSON.parse(readFileSync(join(root, "docs/schemas/check.json"), "utf8"))).toEqual(checkJsonSchema());
});

it("finds a recipe that ships from any folder, but no other file of viva's, and knows a study from a recipe", async () => {
  const { stdout } = await vivaOk(folder, "check", "recipes/demo-grpo.yaml", "--json", ...set("data.train.limit=96"));
  expect(JSON.parse(stdout)).toMatchObject({ recipe: "demo-grpo", can_run: true });
  expect((await viva(folder, "check", "biome.json")).stderr).toBe("error: biome.json: no such recipe\n");
  const other = await viva(folder, "study", "tiny.yaml");
  expect([other.code, other.stderr]).toEqual([
    2,
    "error: tiny.yaml is no study but a recipe: viva train tiny.yaml runs it\n",
  ]);
  expect((await viva(folder, "study", "studies/none.yaml")).stderr).toBe("error: studies/none.yaml: no such study\n");
});

import { join } from "node:path";
import { expect, it } from "vitest";
import { jsonLines, temporaryFolder, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();

it("a stage's rollouts carry the evidence of its own rewards, once", async () => {
  const data = await writeFilms(join(folder, "films"));
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data });
  const [sft, grpo] = recipe.stages;
  const stages = [sft, { ...grpo, steps: 1 }, { ...grpo, kind: "dr_grpo", steps: 1 }];
  writeRecipe(join(folder, "three.yaml"), { ...recipe, stages, evaluate: null });
  await vivaOk(folder, "train", "three.yaml", "--run", "run");
  const rollouts = jsonLines(folder, "run", "rollouts.jsonl");
  expect(rollouts.map(({ id, stage }) => `${id} ${stage}`)).toEqual([
    "5/0 grpo",
    "5/1 grpo",
    "6/0 dr_grpo",
    "6/1 dr_grpo",
  ]);
  const completions = rollouts.flatMap((line) => line.completions);
  const judged = completions.filter(({ parsed_answer }) => parsed_answer !== null);
  expect(judged.length).toBeGreaterThan(0);
  for (const { evidence } of judged) expect(evidence).toHaveLength(1);
});

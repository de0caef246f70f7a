import { join } from "node:path";
import { expect, it } from "vitest";
import { rolloutAlgorithms } from "../../src/algorithms/index.ts";
import { jsonLines, temporaryFolder, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();

it("a stage's rollouts carry the evidence of its own rewards, once", async () => {
  const data = await writeFilms(join(folder, "films"));
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data });
  const [sft, grpo] = recipe.stages;
  const stages = [sft, { ...grpo, steps: 1 }, { ...grpo, kind: "dr_grpo", steps: 1 }];
  writeRecipe(join(folder, "three.yaml"), { ...recipe, stages, evaluate: null });
  await vivaOk(folder, "train", "three.yaml", "--run", "run", "--no-report");
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

it("every kind takes its steps, and each rollout knows how many updates its policy had", async () => {
  const data = await writeFilms(join(folder, "kinds"));
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "kinds-model")), data });
  const [sft, { filter_groups: _, ...grpo }] = recipe.stages as unknown as [object, { filter_groups?: object }];
  const kinds = Object.keys(rolloutAlgorithms);
  const stages = [sft, ...kinds.map((kind) => ({ ...grpo, kind, steps: 1, mask_truncated_completions: true }))];
  writeRecipe(join(folder, "kinds.yaml"), { ...recipe, stages, evaluate: null, checkpoint: { every: null } });
  await vivaOk(folder, "train", "kinds.yaml", "--run", "kinds-run", "--no-report");
  const rollouts = jsonLines(folder, "kinds-run", "rollouts.jsonl");
  const metrics = jsonLines(folder, "kinds-run", "metrics.jsonl").slice(4);
  expect(metrics.map(({ stage }) => stage)).toEqual(kinds);
  // Four supervised updates, then four a stage: two mini-batches, twice.
  for (const [i, kind] of kinds.entries()) {
    const own = rollouts.filter(({ stage }) => stage === kind);
    expect(own.map(({ policy_version }) => policy_version)).toEqual([4 + 4 * i, 4 + 4 * i]);
    expect(metrics[i]["sampler/logprob_diff_max"]).toBeLessThan(1e-4);
    for (const key of [
      "loss",
      "policy/kl",
      "policy/ratio_max",
      "policy/clip_fraction_low",
      "completion/masked_fraction",
    ]) {
      expect(Number.isFinite(metrics[i][key]), `${kind}: ${key} is ${metrics[i][key]}`).toBe(true);
    }
    expect("group/resampled" in metrics[i]).toBe(kind === "dapo");
  }
});

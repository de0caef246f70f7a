import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Completion, Example } from "../core/records.ts";
import { loadRecipe } from "../recipes/load.ts";
import { buildRewards, rewardsAt, scoreGroup } from "../rewards/index.ts";
import { openLiveRewards } from "./live-rewards.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-live-rewards-"));
afterAll(() => rmSync(folder, { recursive: true }));

const example: Example = {
  ...{ id: "asked", subjectId: "asked", question: "Which side?", images: [], meta: {} },
  ...{ answer: "left", answerType: "open", choices: [] },
};
const completions = ["<think>It is left.</think><answer>left</answer>", "right"].map(
  (text): Completion => ({
    ...{ text, tokenIds: Int32Array.of(1, 2), logProbs: new Float32Array(2) },
    ...{ finishReason: "stop", policyVersion: 0 },
  }),
);

const recipeWith = (rewards: object) => {
  const file = join(folder, "recipe.yaml");
  const stages = [
    { kind: "sft", steps: 1 },
    { kind: "grpo", steps: 10, rewards },
  ];
  const recipe = { model: { path: "viva-tiny" }, data: { train: { name: "phantom" } }, stages };
  writeFileSync(file, JSON.stringify({ name: "live", ...recipe }));
  return loadRecipe(file).recipe;
};
const known = { style: "think_answer", thinkOpened: false } as const;

test("rewards say what they said in training, weighted as at the stage's end", async () => {
  const rewards = { accuracy: 1, format: { weight: { from: 1, to: 0.5, steps: 4 } }, repetition: 0 };
  const live = (await openLiveRewards(recipeWith(rewards), known))!;
  const found = await live.score(example, completions);
  const built = await buildRewards(rewards, { ...known, maxCompletionLength: 128 });
  const trained = await scoreGroup(rewardsAt(built, 10), example, completions);
  expect(found.map(({ reward }) => reward)).toEqual(trained.reward);
  expect(found.map(({ rewards }) => rewards)).toEqual(
    completions.map((_, i) => Object.fromEntries(Object.entries(trained.rewards).map(([name, v]) => [name, v[i]]))),
  );
  expect([found[0]!.rewards["accuracy"], found[1]!.rewards["accuracy"]]).toEqual([1, 0]);
  expect(found[0]!.weights["format"]).toBe(0.5);
  await live.close();
});

test("nothing that a recipe names is run, called or opened as a model; there is no sum without them", async () => {
  const module = join(folder, "mine.mjs");
  writeFileSync(module, "globalThis.wasRun = true; export default { name: 'mine', score: () => [1, 1] };");
  const judge = { weight: 1, scorer: "judge", base_url: "http://127.0.0.1:9/v1", model: "m" };
  const recipe = recipeWith({ accuracy: 1, mine: { weight: 1, module }, semantic: judge });
  const live = (await openLiveRewards(recipe, known))!;
  const [first] = await live.score(example, completions);
  expect((globalThis as { wasRun?: boolean }).wasRun).toBe(undefined);
  expect([first!.rewards, first!.reward]).toEqual([{ accuracy: 1 }, null]);
  expect(Object.keys(first!.unasked)).toEqual(["mine", "semantic"]);
  expect(first!.unasked["semantic"]).toContain("a judge is not called");
  await live.close();
});

test("a recipe without a stage that samples has no rewards", async () => {
  const recipe = recipeWith({ accuracy: 1 });
  expect(await openLiveRewards({ ...recipe, stages: recipe.stages.slice(0, 1) }, known)).toBe(null);
});

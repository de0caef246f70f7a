/** The arms of the study: each recipe is valid and differs from the plain arm in what it is about, and in nothing else. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadRecipe } from "../../src/recipes/load.ts";
import { root } from "../cli/command-line.ts";

const folder = join(root, "recipes/arms");
const names = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ""));
const load = (name: string) => loadRecipe(join(folder, `${name}.yaml`)).recipe;
const plain = load("grpo");

const drGrpo = ["stages.1.kind", "stages.1.loss_type"];
/** Keys that an arm changes; a key stands for all below it. */
const changes: Readonly<Record<string, readonly string[]>> = {
  grpo: [],
  "init-base": ["prompt", "stages.0.steps"],
  "init-instruct": ["stages.0.steps"],
  "init-sft": ["stages.0.target"],
  "semantic-concepts": ["stages.1.rewards.semantic"],
  "semantic-embedding": ["stages.1.rewards.semantic"],
  "semantic-judge": ["stages.1.rewards.semantic"],
  "length-ecr": ["stages.1.rewards.ecr"],
  "length-cwr": ["stages.1.rewards.cwr"],
  "length-cosine": ["stages.1.rewards.cosine"],
  "length-kimi": ["stages.1.rewards.kimi"],
  "length-soft_overlong": ["stages.1.rewards.soft_overlong"],
  "grpo-group-kl": ["stages.1.beta"],
  "grpo-none": ["stages.1.scale_rewards"],
  "grpo-none-kl": ["stages.1.beta", "stages.1.scale_rewards"],
  "dr_grpo-group": drGrpo,
  "dr_grpo-group-kl": ["stages.1.beta", ...drGrpo],
  "dr_grpo-none": [...drGrpo, "stages.1.scale_rewards"],
  "dr_grpo-none-kl": ["stages.1.beta", ...drGrpo, "stages.1.scale_rewards"],
};
/** Those that have other stages: what they share with the plain arm is looked at below. */
const others = ["dpo", "init-lora", "sft", "sft-lora", "start"];

/** Paths at which two recipes differ; where only one has a key, the path of the key. */
function differences(a: unknown, b: unknown, path = ""): readonly string[] {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b) ? [] : [path];
  const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return keys.flatMap((key) => differences(left[key], right[key], path === "" ? key : `${path}.${key}`));
}

it("there is a recipe for every arm, and no other", () => {
  expect([...names].sort()).toEqual([...Object.keys(changes), ...others].sort());
});

it.each(names)("%s is named as its file, and shares seed, data and evaluation with the plain arm", (name) => {
  const { seed, data, evaluate, image, alarms, ...recipe } = load(name);
  expect(recipe.name).toBe(name);
  expect({ seed, data, evaluate, image, alarms }).toEqual(
    expect.objectContaining({
      ...{ seed: plain.seed, data: plain.data, evaluate: plain.evaluate, image: plain.image, alarms: plain.alarms },
    }),
  );
});

it.each(Object.entries(changes))("%s differs from the plain arm in what it is about", (name, expected) => {
  const found = differences(plain, load(name)).filter((path) => path !== "name");
  expect([...found].sort()).toEqual([...expected].sort());
});

it("baselines and adapters repeat the plain arm's stages where they have them", () => {
  const [supervised, rollout] = plain.stages;
  const steps = (name: string) => ({ ...supervised, steps: load(name).stages[0]!.steps });
  for (const name of ["sft", "sft-lora", "start"]) expect(load(name).stages).toEqual([steps(name)]);
  expect(load("dpo").stages[0]).toEqual(supervised);
  const { learning_rate: _, ...adapted } = load("init-lora").stages[0]!;
  const { learning_rate: __, ...whole } = rollout!;
  expect(adapted).toEqual(whole);
});

/** recipes/arms holds the arms of the study that ships, and nothing that the study does not say. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadRecipe } from "../../src/recipes/load.ts";
import { loadStudy } from "../../src/study/load.ts";
import { root } from "../cli/command-line.ts";

const folder = join(root, "recipes/arms");
const study = loadStudy(join(root, "studies/one-look.yaml"), { quick: false });
/** Arms that need an encoder or a service of the user's own. */
const ownServices = ["semantic_embedding", "semantic_judge"];
const recipe = (name: string) => loadRecipe(join(folder, `${name}.yaml`)).recipe;

it("there is a recipe for every arm, and for those that need a service", () => {
  const names = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ""));
  expect([...names].sort()).toEqual([...study.arms.map(({ name }) => name), ...ownServices].sort());
});

it.each(study.arms.map((arm) => [arm.name, arm] as const))("%s is the arm of the study", (name, arm) => {
  expect(recipe(name)).toEqual({ ...arm.recipe, seed: study.seeds[0] });
});

it.each(ownServices)("%s changes the plain arm in its reward alone", (name) => {
  const plain = recipe("grpo");
  const [stage] = plain.stages as unknown as readonly { readonly rewards: object }[];
  const [own] = recipe(name).stages as unknown as readonly { readonly rewards: { readonly semantic: unknown } }[];
  expect(recipe(name)).toEqual({
    ...plain,
    name,
    stages: [{ ...stage, rewards: { ...stage!.rewards, semantic: own!.rewards.semantic } }],
  });
});

/** studies/preferences.yaml and recipes/preferences: what they change is the loss of pairs, and all of them load. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadRecipe } from "../../src/recipes/load.ts";
import { loadStudy } from "../../src/study/load.ts";
import { root, temporaryFolder } from "../cli/command-line.ts";

it("the study's arms differ in kind, corruption and balance, and in nothing else", () => {
  const study = loadStudy(join(root, "studies/preferences.yaml"), { quick: false });
  const own = ["kind", "margin", "corrupt", "image_weight", "anchor_weight", "anchor"];
  const others = ["satisfied_weight", "base_weight", "pair_balance"];
  const stages = study.arms.map(({ name, recipe }) => {
    const stage = recipe.stages[0] as Readonly<Record<string, unknown>>;
    const rest = Object.entries(stage).filter(([key]) => ![...own, ...others].includes(key));
    const differing = [stage["kind"], stage["corrupt"], stage["image_weight"], stage["pair_balance"]];
    return { name, differing, rest: Object.fromEntries(rest) };
  });
  expect(Object.fromEntries(stages.map(({ name, differing }) => [name, differing]))).toEqual({
    dpo: ["dpo", undefined, undefined, "none"],
    mdpo_crop: ["mdpo", "crop", 1, "none"],
    mdpo_blank: ["mdpo", "blank", 1, "none"],
    mdpo_swap: ["mdpo", "swap", 1, "none"],
    mdpo_anchor: ["mdpo", "crop", 0, "none"],
    rc_dpo: ["rc_dpo", undefined, undefined, "none"],
    dpo_balanced: ["dpo", undefined, undefined, "length"],
  });
  for (const { rest } of stages) expect(rest).toEqual(stages[0]!.rest);
});

it("the recipes load, each of the kind that it is named after", () => {
  const folder = join(root, "recipes/preferences");
  const model = temporaryFolder();
  mkdirSync(join(model, "rm"));
  const kinds = readdirSync(folder).map((file) => {
    const set = file.startsWith("grpo") ? [`stages.0.rewards.reward_model.path=${join(model, "rm")}`] : [];
    return [file, loadRecipe(join(folder, file), set).recipe.stages[0]!.kind];
  });
  expect(Object.fromEntries(kinds)).toEqual({
    "grpo-on-reward-model.yaml": "grpo",
    "mdpo.yaml": "mdpo",
    "plpf-pairs.yaml": "dpo",
    "rc-dpo.yaml": "rc_dpo",
    "rc-reward-model.yaml": "rc_reward_model",
    "reward-model.yaml": "reward_model",
  });
});

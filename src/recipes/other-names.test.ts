import { describe, expect, it } from "vitest";
import { knownKeys, recipeJsonSchema } from "./json-schema.ts";
import { parseRecipe } from "./load.ts";
import { otherNames } from "./other-names.ts";

const recipe = {
  name: "a",
  model: { path: "m", lora: {} },
  data: { train: { name: "phantom" }, eval: { name: "phantom" } },
  stages: [
    { kind: "sft", steps: 1 },
    { kind: "grpo", steps: 1, rewards: { accuracy: 1 } },
  ],
};

const PLACES = [
  "",
  "stages.0",
  "stages.1",
  "model",
  "model.lora",
  "data",
  "data.train",
  "image",
  "evaluate",
  "checkpoint",
];
const schema = recipeJsonSchema();
const pathOf = (place: string) =>
  place === "" ? [] : place.split(".").map((part) => (/\d/.test(part) ? +part : part));
const keysAt = new Map(
  [...PLACES, "data.eval", "engine"].map((place) => {
    return [place, knownKeys(pathOf(place), recipe, schema)] as const;
  }),
);

const names = Object.entries(otherNames).flatMap(([trainer, table]) =>
  Object.entries(table).map(([name, found]) => [trainer, name, found] as const),
);

describe("names of other trainers", () => {
  it.each(names)("%s's %s stands for keys that there are", (_, name, found) => {
    for (const key of found.filter((own) => !own.startsWith("--"))) {
      const path = key.split(".");
      const places = path.length > 1 ? [path.slice(0, -1).join(".")] : PLACES;
      expect(
        places.flatMap((place) => keysAt.get(place)!),
        key,
      ).toContain(path.at(-1));
      expect(key).not.toBe(name);
    }
  });

  const refusal = (key: string, value: unknown, stage = 0) => {
    const stages = recipe.stages.map((own, i) => (i === stage ? { ...own, [key]: value } : own));
    try {
      parseRecipe({ ...recipe, stages });
    } catch (error) {
      return (error as Error).message;
    }
    return "taken";
  };

  it("are answered with the key of the place, a key elsewhere, an option, or that there is none", () => {
    expect(refusal("lr", 1e-4)).toMatch(/unknown key stages\.0\.lr; did you mean learning_rate\?/);
    expect(refusal("per_device_train_batch_size", 8)).toMatch(/did you mean batch_size\?/);
    expect(refusal("per_device_train_batch_size", 8, 1)).toMatch(/did you mean prompts_per_step\?/);
    expect(refusal("max_new_tokens", 8, 1)).toMatch(/did you mean max_completion_length\?/);
    expect(refusal("save_steps", 8)).toMatch(/did you mean checkpoint\.every\?/);
    expect(refusal("output_dir", "x")).toMatch(/did you mean --run\?/);
    expect(refusal("bf16", true)).toMatch(/TRL's bf16 has no counterpart here: leave it out/);
    expect(refusal("num_samples_per_prompt_rollout", 8, 1)).toMatch(/did you mean num_generations\?/);
    expect(refusal("ppo_mini_batch_size", 8, 1)).toMatch(/did you mean steps_per_generation\?/);
    expect(refusal("freeze_vit", true)).toMatch(/did you mean model\.freeze\?/);
    expect(refusal("cutoff_len", 8)).toMatch(/did you mean data\.on_too_long\?/);
    expect(() => parseRecipe({ ...recipe, actor_rollout_ref: {} })).toThrow(/did you mean stages\?/);
    expect(() => parseRecipe({ ...recipe, nnodes: 1 })).toThrow(/verl's nnodes has no counterpart here: leave it out/);
    expect(() => parseRecipe({ ...recipe, lr: 1 })).toThrow(/unknown key lr; did you mean learning_rate of a stage\?/);
  });
});

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pairwiseAlgorithms, rolloutAlgorithms } from "../algorithms/index.ts";
import { UserError } from "../core/errors.ts";
import { knownKeys, recipeJsonSchema } from "./json-schema.ts";
import { loadRecipe, parseRecipe, resolvedYaml } from "./load.ts";

const example = `name: slake-grpo
seed: 7
model: { path: hf:org/viva-tiny, lora: null, freeze: [], quantize_frozen: null }
engine: { backend: local, device: cpu, threads: auto }
data: { train: { name: phantom, split: train }, eval: { name: phantom } }
prompt: think_answer
stages:
  - { kind: sft, steps: 400, learning_rate: 1.0e-3, batch_size: 32 }
  - { kind: grpo, steps: 200, learning_rate: 1.0e-5, prompts_per_step: 8, num_generations: 8, max_completion_length: 48,
      temperature: 1.0, beta: 0.0, loss_type: dr_grpo, scale_rewards: none, rewards: { accuracy: 1.0, format: { weight: 0.5, style: tags } } }
  - { kind: dr_grpo, steps: 5, rewards: { accuracy: 1 } }
evaluate: { every: 50, limit: 200 }
`;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-recipe-"));
  file = join(folder, "a.yaml");
  writeFileSync(file, example);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Loads the example with one text replaced, and returns the error message without the folder. */
function mistake(from: string | RegExp, to: string, sets: string[] = []): string {
  const text = example.replace(from, to);
  if (text === example && sets.length === 0) throw new Error("nothing was replaced");
  writeFileSync(file, text);
  try {
    loadRecipe(file, sets);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const { message } = error as UserError;
    expect(message).not.toContain("\n");
    return message.replaceAll(`${folder}/`, "");
  }
  throw new Error("the recipe was accepted");
}

const kinds = ["sft", ...Object.keys(rolloutAlgorithms), ...Object.keys(pairwiseAlgorithms), "warm_up", "soft_q"].join(
  ", ",
);

describe("a valid recipe", () => {
  test.each<[string, object]>([
    ["dapo", { loss_type: "dapo", epsilon_high: 0.28, filter_groups: { metric: "reward", max_resample: 3 } }],
    ["gspo", { importance_sampling_level: "sequence", epsilon: 3e-4, epsilon_high: 4e-4, loss_type: "grpo" }],
    ["cispo", { token_loss: "cispo", epsilon_high: 5, loss_type: "dapo", filter_groups: null }],
    ["sapo", { token_loss: "sapo", sapo_temperature_pos: 1, sapo_temperature_neg: 1.05 }],
    ["rloo", { advantage: "rloo", scale_rewards: "none", token_loss: "clip" }],
    ["opo", { advantage: "opo", scale_rewards: "none", token_loss: "reinforce" }],
    ["reinforce", { advantage: "group_relative", scale_rewards: "none", token_loss: "reinforce" }],
    ["gdpo", { advantage: "multi_objective", scale_rewards: "none", token_loss: "clip" }],
  ])("kind %s sets defaults, which can be overridden", (kind, options) => {
    const [stage] = parseRecipe({
      name: "x",
      model: { path: "m" },
      data: { train: { name: "phantom" } },
      stages: [{ kind, steps: 1, rewards: { accuracy: 1 } }],
    }).stages;
    expect(stage).toMatchObject({ kind, ...options, beta: 0, steps_per_generation: 1 });
    const key = Object.keys(options)[0]!;
    const other = { dapo: "grpo", gspo: "token", rloo: "opo", opo: "rloo", gdpo: "opo" }[kind] ?? "clip";
    const changed = kind === "reinforce" ? { token_loss: "sapo" } : { [key]: other };
    const again = parseRecipe({
      name: "x",
      model: { path: "m" },
      data: { train: { name: "phantom" } },
      stages: [{ kind, steps: 1, rewards: { accuracy: 1 }, ...changed }],
    }).stages[0];
    expect(again).toMatchObject({ kind, ...options, ...changed });
  });

  test("has its values, and defaults otherwise", () => {
    const { recipe } = loadRecipe(file);
    expect(recipe.stages[0]).toEqual({
      kind: "sft",
      steps: 400,
      epochs: null,
      batch_size: 32,
      target: "answer",
      environment: null,
      in_context_examples: 0,
      in_context_fixed: false,
      adversarial: null,
      learning_rate: 1e-3,
      lr_scheduler_type: "linear",
      warmup_steps: 0,
      weight_decay: 0,
      adam_beta1: 0.9,
      adam_beta2: 0.999,
      adam_epsilon: 1e-8,
      max_grad_norm: 1,
      importance_masking: "none",
    });
    expect(recipe.stages[1]).toMatchObject({
      loss_type: "dr_grpo",
      scale_rewards: "none",
      top_p: 1,
      top_k: 0,
      epsilon: 0.2,
      epsilon_high: null,
      delta: null,
      num_iterations: 1,
      rewards: { accuracy: { weight: 1 }, format: { weight: 0.5, style: "tags" } },
    });
    expect(recipe.stages[2]).toMatchObject({ loss_type: "dr_grpo", scale_rewards: "none", learning_rate: 1e-6 });
    expect(recipe.data).toEqual({
      train: {
        name: "phantom",
        path: null,
        revision: null,
        split: "train",
        limit: null,
        image_range: null,
        window: null,
        table: null,
        where: null,
        seed: null,
      },
      eval: {
        name: "phantom",
        path: null,
        revision: null,
        split: "test",
        limit: null,
        image_range: null,
        window: null,
        table: null,
        where: null,
        seed: null,
      },
      image_disjoint: false,
      allow_overlap: false,
      on_bad_image: "error",
      on_too_long: "error",
    });
    expect(recipe.engine).toEqual({
      backend: "local",
      url: null,
      model: null,
      api_key_env: null,
      server_job: null,
      device: "cpu",
      dry_step: "auto",
      threads: "auto",
      rows: 64,
      micro_batch_tokens: 4096,
      activation_memory_gb: 2,
    });
    expect(recipe.evaluate).toEqual({
      ...{ every: 50, limit: 200, at_start: true, max_completion_length: null },
      ...{ paradigm_at_test: "none", baselines: [], conventional: [], subgroups: [], shots: [] },
    });
    expect(recipe.checkpoint).toEqual({ every: 50, keep: 2, best: null });
  });

  test("a data set's own options are written out and reload", () => {
    const { recipe, yaml } = loadRecipe(file, ["data.train={ name: phantom_reports, difficulty: 0.2 }"]);
    expect(recipe.data.train).toMatchObject({ seed: null, difficulty: 0.2, image_size: null });
    expect(recipe.data.eval).not.toHaveProperty("difficulty");
    const again = join(folder, "recipe.yaml");
    writeFileSync(again, yaml);
    expect(loadRecipe(again)).toEqual({ recipe, yaml });
  });

  test("grpo without options is GRPO: per-completion mean, divided by the group's standard deviation", () => {
    const { recipe } = loadRecipe(file, ["stages=[{kind: grpo, steps: 1, rewards: {accuracy: 1}}]"]);
    expect(recipe.stages[0]).toMatchObject({ loss_type: "grpo", scale_rewards: "group", kl_estimator: "k3", beta: 0 });
  });

  test("the resolved YAML reloads to the same recipe and the same YAML", () => {
    const sets = [
      "prompt={system: 'Sei kurz: #1', user: \"Frage: {question}\\n\\n {choices}\"}",
      "image.max_pixels=50176",
      "stages.1.learning_rate=1e-7",
      "evaluate.limit=null",
    ];
    const first = loadRecipe(file, sets);
    const again = join(folder, "recipe.yaml");
    writeFileSync(again, resolvedYaml(first.recipe, { "data.train sha256": "ab: c" }));
    const second = loadRecipe(again);
    expect(second).toEqual(first);
    expect(first.yaml.match(/^\w+/gm)?.slice(0, 5)).toEqual(["name", "seed", "tuning_trials", "model", "engine"]);
  });

  test("key order does not change the resolved YAML", () => {
    const reversed = Object.fromEntries(Object.entries(loadRecipe(file).recipe).reverse());
    expect(resolvedYaml(parseRecipe(reversed))).toBe(loadRecipe(file).yaml);
  });

  test("paths are found from the working directory, then from the recipe; what is nowhere is asked for nowhere else", () => {
    mkdirSync(join(folder, "models", "tiny"), { recursive: true });
    const beside = (path: string) => loadRecipe(file, [`model.path=${path}`]).recipe.model.path;
    expect(beside("models/tiny")).toBe(join(folder, "models", "tiny"));
    expect(beside("./models/tiny")).toBe(join(folder, "models", "tiny"));
    expect(beside("src/core")).toBe(resolve("src/core"));
    expect(beside(relative(process.cwd(), folder))).toBe(folder);
    expect(beside("hf:Qwen/Qwen2-VL-2B-Instruct")).toBe("hf:Qwen/Qwen2-VL-2B-Instruct");
    expect(() => beside("./no/such/model")).toThrow(/a\.yaml: model\.path: nothing at .* nor at /);
    expect(() => beside("Qwen/Qwen2-VL-2B-Instruct")).toThrow(
      /a\.yaml: model\.path: nothing at .* nor at .*; on the Hub it would be hf:Qwen\/Qwen2-VL-2B-Instruct$/,
    );
    expect(() => beside("assets/viva-tny")).toThrow(/nothing at .*; did you mean assets\/viva-tiny\?$/);
    expect(() => beside("runs/none")).toThrow(/nothing at /);
    expect(loadRecipe(file, ["data.train.path=models"]).recipe.data.train.path).toBe(join(folder, "models"));
    expect(() => loadRecipe(file, ["data.eval.path=/no/such"])).toThrow(/data\.eval\.path: nothing at \/no\/such$/);
  });
});

test("a model that ships has a short name, from any folder; one's own folder of that name goes before it", () => {
  const model = (path: string) => loadRecipe(file, [`model.path=${path}`]).recipe.model.path;
  for (const name of ["viva-tiny", "viva-tiny-base", "viva-tiny-instruct"]) {
    expect(model(name)).toBe(resolve("assets", name));
    expect(existsSync(join(model(name), "config.json"))).toBe(true);
  }
  expect(() => model("viva-tiny-instrct")).toThrow(/nothing at .*; did you mean viva-tiny-instruct\?$/);
  expect(() => model("vocabulary.json")).toThrow(/nothing at /);
  mkdirSync(join(folder, "viva-tiny"));
  expect(model("viva-tiny")).toBe(join(folder, "viva-tiny"));
});

describe("mistakes are one sentence with file, line, key and advice", () => {
  test.each([
    ["arms: []\nbase: a.yaml\n", /^a.yaml is no recipe but a study: viva study a.yaml --plan/],
    ["clients: []\nbase: a.yaml\n", /^a.yaml is no recipe but a federation of sites: viva federate a.yaml/],
  ])("the file of another command: %j", (text, says) => {
    expect(mistake(/.*/s, text)).toMatch(says);
  });

  test.each([
    ["batch_size", "bach_size", "a.yaml, line 8: unknown key stages.0.bach_size; did you mean batch_size?"],
    ["evaluate:", "evalate:", "a.yaml, line 12: unknown key evalate; did you mean evaluate?"],
    ["threads", "treads", "a.yaml, line 4: unknown key engine.treads; did you mean threads?"],
    ["steps: 200", "stpes: 200", "a.yaml, line 9: unknown key stages.1.stpes; did you mean steps? (and 1 more)"],
    [
      "limit: 200",
      "xyzzy: 200",
      "a.yaml, line 12: unknown key evaluate.xyzzy; known here: every, limit, at_start, max_completion_length, paradigm_at_test, baselines, conventional, subgroups, shots",
    ],
    ["think_answer", "{ usr: x }", /^a\.yaml, line 6: unknown key prompt\.usr; did you mean user\?/],
    ["steps: 400", "steps: ten", 'a.yaml, line 8: stages.0.steps must be a whole number of at least 1, got "ten"'],
    ["steps: 400", "steps: 0", "a.yaml, line 8: stages.0.steps must be a whole number of at least 1, got 0"],
    ["steps: 400", "steps: 1.5", "a.yaml, line 8: stages.0.steps must be a whole number of at least 1, got 1.5"],
    ["steps: 200, ", "", "a.yaml, line 9: stages.1.steps is missing; it must be a whole number of at least 1"],
    ["seed: 7", "seed: -1", "a.yaml, line 2: seed must be a whole number of at least 0, got -1"],
    ["steps: 400, ", "", "a.yaml, line 8: stages.0 needs either steps or epochs (the other absent or null)"],
    [
      "scale_rewards: none",
      "scale_rewards: gruop",
      'a.yaml, line 10: stages.1.scale_rewards must be one of group, batch, none, got "gruop"; did you mean group?',
    ],
    [
      "kind: grpo",
      "kind: gpro",
      `a.yaml, line 9: stages.1.kind must be one of ${kinds}, got "gpro"; did you mean grpo?`,
    ],
    ["kind: sft, ", "", `a.yaml, line 8: stages.0.kind is missing; it must be one of ${kinds}`],
    [
      "threads: auto",
      "threads: many",
      /line 4: engine\.threads must be auto, or a whole number from 1 to 1024, got "many"$/,
    ],
    [
      "lora: null",
      "lora: { rank: 8 }",
      "a.yaml, line 3: unknown key model.lora.rank; known here: r, lora_alpha, lora_dropout, target_modules, exclude_modules, layers_to_transform, layers_pattern, rank_pattern, alpha_pattern, use_rslora",
    ],
    ["quantize_frozen: null", "quantize_frozen: int2", /model\.quantize_frozen must be .*int8.*int4/],
    [
      "beta: 0.0",
      "entropy_coef: -1",
      "a.yaml, line 10: stages.1.entropy_coef must be a number of at least 0 and at most 1000, got -1",
    ],
    [
      "scale_rewards: none",
      "scale_rewards: group, advantage: rloo",
      "a.yaml, line 10: stages.1.scale_rewards must be none: only advantage group_relative is scaled",
    ],
    [
      "beta: 0.0",
      "token_loss: cispo, delta: 9",
      "a.yaml, line 10: stages.1.delta must be null: only token_loss clip reads it",
    ],
    ["beta: 0.0", "steps_per_generation: 3", /line 10: stages\.1\.steps_per_generation must divide prompts_per_step$/],
    [
      "beta: 0.0",
      "filter_groups: { metric: acuracy }",
      /line 10: stages\.1\.filter_groups\.metric must be reward or the name of one of the stage's rewards$/,
    ],
    [
      "kind: sft",
      "kind: dpo",
      /^a\.yaml, line 8: stages\.0 needs either pairs or rollouts \(the other absent or null\)$/,
    ],
    ["kind: sft", "kind: dpo, pairs: ./none.jsonl", /^.*a\.yaml: stages\.0\.pairs: nothing at .*none\.jsonl/],
    [
      "beta: 0.0",
      "delta: 1.1",
      "a.yaml, line 10: stages.1.delta must exceed 1 + epsilon_high (or it would clip inside the clip range)",
    ],
    [
      "format: {",
      "format: x, odd: {",
      'a.yaml, line 10: stages.1.rewards.format must be a weight (0, or from 1e-6 to 1e6 in size), or a mapping of weight and options, got "x"',
    ],
    [
      "weight: 0.5",
      "weight: half",
      'a.yaml, line 10: stages.1.rewards.format.weight must be a number (0, or from 1e-6 to 1e6 in size), or a mapping of from, to and steps, got "half"',
    ],
    [
      "weight: 0.5",
      "weight: { from: 1, to: 0, step: 3 }",
      "a.yaml, line 10: unknown key stages.1.rewards.format.weight.step; did you mean steps? (and 1 more)",
    ],
    ["rewards: { accuracy: 1 }", "rewards: {}", "a.yaml, line 11: stages.2.rewards must name at least one reward"],
    [
      "rewards: { accuracy: 1 }",
      "rewards: { accuracy: 0, format: { weight: 0 } }",
      "a.yaml, line 11: stages.2.rewards must give at least one reward a weight other than 0, or there is nothing to learn from",
    ],
    ["beta: 0.0", "beta: .inf", /stages\.1\.beta must be .*, got Infinity$/],
    [/$/, "\n---\nname: b\n", /not valid YAML: one document is wanted, and --- begins another$/],
    [
      "prompt: think_answer",
      "prompt: think_anser",
      /^a\.yaml, line 6: prompt must be one of .*; did you mean think_answer\?$/,
    ],
    ["prompt: think_answer", "prompt: { user: Say }", "a.yaml, line 6: prompt.user must contain {question}"],
    [
      "prompt: think_answer",
      'prompt: { user: "{question} {choice}" }',
      /line 6: prompt\.user has the unknown placeholder \{choice\}; did you mean \{choices\}\?/,
    ],
    [/^engine:.*$/m, "engine:", "a.yaml, line 4: engine must be a mapping of keys to values, got null"],
    [/, eval: \{.*\} \}/, " }", "a.yaml, line 12: evaluate.every needs data.eval to evaluate on"],
    [
      "name: slake-grpo",
      "name: ../up",
      /^a\.yaml, line 1: name must be a name of letters, digits, .*, got "\.\.\/up"$/,
    ],
    [
      "name: slake-grpo\n",
      "",
      "a.yaml: name is missing; it must be a name of letters, digits, dots, dashes and underscores",
    ],
    [/^.*$/s, "- 1\n", "a.yaml: the recipe must be a mapping of keys to values, got [1]"],
    [/^.*$/s, "# nothing\n", "a.yaml: the recipe is empty"],
    ["seed: 7", "seed: 7\nseed: 8", "a.yaml, line 3, column 1: not valid YAML: Map keys must be unique"],
    ["seed: 7", "seed: [7", /^a\.yaml, line \d+, column \d+: not valid YAML: /],
    ["seed: 7", "seed: *x", /^a\.yaml(, line 2, column 7)?: not valid YAML: .*x/],
  ])("%s -> %s", (from, to, message) => {
    if (typeof message === "string") expect(mistake(from, to)).toBe(message);
    else expect(mistake(from, to)).toMatch(message);
  });

  test("a missing file", () => {
    expect(() => loadRecipe(join(folder, "b.yaml"))).toThrow(/b\.yaml: no such recipe/);
    expect(() => loadRecipe(folder)).toThrow(/cannot be read/);
  });
});

describe("--set", () => {
  test("changes scalars, list entries and whole mappings, and creates missing keys", () => {
    const { recipe } = loadRecipe(file, [
      "seed=11",
      "stages.0.steps=10",
      "stages.0.learning_rate=2e-4",
      "stages.1.rewards={ accuracy: 2 }",
      "stages.1.rewards.length.weight=0.1",
      "image.max_pixels=3136",
      "data.train.limit=12",
      "evaluate=null",
      "prompt={ user: 'x=y {question}' }",
    ]);
    expect(recipe).toMatchObject({
      prompt: { system: null, user: "x=y {question}" },
      seed: 11,
      image: { min_pixels: null, max_pixels: 3136 },
      evaluate: null,
    });
    expect(recipe.stages[0]).toMatchObject({ steps: 10, learning_rate: 2e-4 });
    expect(recipe.stages[1]).toMatchObject({ rewards: { accuracy: { weight: 2 }, length: { weight: 0.1 } } });
    expect(recipe.data.train.limit).toBe(12);
  });

  test.each([
    [
      "data.train.difficulty=0.2",
      "--set data.train.difficulty=0.2: unknown key data.train.difficulty; known here: name, path, revision, split, limit, image_range, window, table, where, seed",
    ],
    [
      "data.train={ name: phantom_world, dificulty: 0.2 }",
      "--set data.train={ name: phantom_world, dificulty: 0.2 }: unknown key data.train.dificulty; did you mean difficulty?",
    ],
    [
      "data.train={ name: phantom_world, image_size: 100 }",
      "--set data.train={ name: phantom_world, image_size: 100 }: data.train.image_size must be 112, 224 or 448, got 100",
    ],
    ["data.eval.name=phantm", /^--set .*: data\.eval\.name must be one of .*, got "phantm"; did you mean phantom\?$/],
    ["data.train.limt=2", "--set data.train.limt=2: unknown key data.train.limt; did you mean limit?"],
    ["engine.treads=2", "--set engine.treads=2: unknown key engine.treads; did you mean threads?"],
    ["evaluat.every=2", "--set evaluat.every=2: unknown key evaluat; did you mean evaluate?"],
    ["stages.0.stps=2", "--set stages.0.stps=2: unknown key stages.0.stps; did you mean steps?"],
    ["stages.7.steps=2", "--set stages.7.steps=2: stages is a list and has no 7; its entries are 0 to 2"],
    ["stages.3.steps=2", "--set stages.3.steps=2: stages is a list and has no 3; its entries are 0 to 2"],
    ["stages.first.steps=2", "--set stages.first.steps=2: stages is a list and has no first; its entries are 0 to 2"],
    ["seed.x=2", "--set seed.x=2: seed is 7 and has no key x"],
    ["stages.0.steps=ten", '--set stages.0.steps=ten: stages.0.steps must be a whole number of at least 1, got "ten"'],
    [
      "model.lora={ target_modules: [] }",
      "--set model.lora={ target_modules: [] }: model.lora.target_modules must be a list of layer names, a regular expression or all-linear, got []",
    ],
    [
      "model.lora={ layers_to_transform: [] }",
      "--set model.lora={ layers_to_transform: [] }: model.lora.layers_to_transform must be a layer's number, or a list of them, got []",
    ],
    ["seed", "--set seed: expected key=value, such as stages.0.steps=10"],
    ["=3", "--set =3: expected key=value, such as stages.0.steps=10"],
    ["__proto__.x=3", "--set __proto__.x=3: expected key=value, such as stages.0.steps=10"],
    ["seed=[1", /^--set seed=\[1: the value is not valid YAML: /],
  ])("%s", (set, message) => {
    if (typeof message === "string") expect(mistake("", "", [set])).toBe(message);
    else expect(mistake("", "", [set])).toMatch(message);
  });
});

describe("the JSON Schema", () => {
  test("knows every key, with defaults, and refuses others", () => {
    const schema = recipeJsonSchema() as { required: string[]; additionalProperties: unknown };
    expect(schema.required).toEqual(["name", "model", "data", "stages"]);
    expect(schema.additionalProperties).toBe(false);
    expect(JSON.stringify(schema)).toContain('"dr_grpo"');
  });

  test("known keys depend on the data set's name", () => {
    const recipe = { data: { train: { name: "slake" }, eval: { name: "phantom_world" } } };
    expect(knownKeys(["data", "train"], recipe)).toEqual([
      ...["name", "path", "revision", "split", "limit", "image_range", "window", "table", "where", "seed"],
    ]);
    expect(knownKeys(["data", "eval"], recipe)).toContain("difficulty");
  });

  test("keys at a place follow the stage's kind", () => {
    const recipe = { stages: [{ kind: "sft" }, { kind: "grpo", rewards: { a: {} } }] };
    expect(knownKeys(["stages", 0], recipe)).toContain("epochs");
    expect(knownKeys(["stages", 0], recipe)).not.toContain("beta");
    expect(knownKeys(["stages", 1], recipe)).toContain("beta");
    expect(knownKeys(["stages", 1, "rewards", "a"], recipe)).toEqual(["weight", "reward", "module"]);
    expect(knownKeys(["stages", 1, "rewards", "accuracy"], recipe)).toContain("gate_by_format");
    expect(knownKeys(["nowhere", "at", 3], recipe)).toEqual([]);
  });
});

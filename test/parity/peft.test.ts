/**
 * LoRA against PEFT's goldens (scripts/goldens/adapters.py): the adapted layers, their ranks and scales, and equal
 * log-probs.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { plainScoring } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { openSafetensors, writeSafetensors } from "../../src/io/safetensors.ts";
import { readAdapterConfig } from "../../src/models/adapter-files.ts";
import { openModel } from "../../src/models/index.ts";
import { type LoraOptions, withLora } from "../../src/models/lora.ts";
import { requireUsed } from "../../src/models/lora-targets.ts";
import { type cases, goldenCase, maxDifference } from "./golden.ts";

const root = fileURLToPath(new URL("../golden/peft/", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "viva-peft-"));
afterAll(() => rmSync(scratch, { recursive: true }));

interface TargetCase {
  readonly checkpoint: (typeof cases)[number];
  readonly config: Omit<LoraOptions, "r" | "lora_alpha">;
  /** By module: rank and scale. */
  readonly layers?: Readonly<Record<string, readonly [number, number]>>;
  readonly refused?: string;
}
const goldens = JSON.parse(readFileSync(join(root, "targets.json"), "utf8")) as {
  cases: TargetCase[];
  only_peft: TargetCase[];
};

function adapted({ checkpoint, config }: TargetCase) {
  const model = openModel(goldenCase(checkpoint).checkpoint);
  const { adapters } = withLora(model, { r: 4, lora_alpha: 8, ...config });
  return Object.fromEntries(
    [...adapters!].map(([layer, { rank, scaling }]) => [model.moduleName(layer), [rank, scaling]]),
  );
}

describe("the layers that a configuration selects", () => {
  for (const golden of goldens.cases) {
    const name = `${golden.checkpoint} ${JSON.stringify(golden.config)}`;
    if (golden.layers === undefined) {
      test(`${name}: refused, as PEFT does`, () => expect(() => adapted(golden)).toThrow(UserError));
    } else test(`${name}: PEFT's, with its ranks and scales`, () => expect(adapted(golden)).toEqual(golden.layers));
  }

  for (const golden of goldens.only_peft) {
    test(`${golden.checkpoint} ${JSON.stringify(golden.config)}: refused, for PEFT adapts more than linear layers`, () => {
      expect(golden.layers).toBeDefined();
      expect(() => adapted(golden)).toThrow(/can have no adapter/);
    });
  }

  test.each<[string, Partial<LoraOptions>, RegExp | null]>([
    ["a rank that no adapted layer takes", { rank_pattern: { q_proj: 2, _proj: 3 } }, /rank_pattern: "_proj" fits no/],
    ["an alpha of a layer that is not adapted", { alpha_pattern: { v_proj: 2 } }, /alpha_pattern: "v_proj" fits no/],
    ["a target beside one that fits", { target_modules: ["q_proj", "v_prj"] }, /"v_prj" .*; did you mean "v_proj"\?/],
    [
      "a target that the numbers leave out",
      { target_modules: ["q_proj", "qkv"], layers_to_transform: [0], layers_pattern: "layers" },
      /target_modules: "qkv" fits no layer beside the other keys/,
    ],
    ["an exclusion of what is not chosen", { exclude_modules: ["visual"] }, /exclude_modules: "visual" fits no/],
    ["a number beyond the layers", { layers_to_transform: [0, 9] }, /layers_to_transform: 9 fits no layer/],
    [
      "a pattern that stands before no number",
      { layers_to_transform: [0], layers_pattern: ["layers", "h"] },
      /layers_pattern: "h" fits no layer/,
    ],
    ["names that all fit, doubly too", { target_modules: ["q_proj", "v_proj", "layers.0.self_attn.q_proj"] }, null],
    ["a regular expression, whatever its parts", { target_modules: "nothing|.*q_proj" }, null],
  ])("of a recipe must all have a use: %s", (_, changes, sentence) => {
    const model = openModel(goldenCase("grouped_tied").checkpoint);
    const options = { r: 4, lora_alpha: 8, target_modules: ["q_proj"], ...changes };
    withLora(model, options); // an adapter made elsewhere is read all the same
    if (sentence === null) requireUsed(model, options);
    else expect(() => requireUsed(model, options)).toThrow(sentence);
  });
});

async function logProbs(checkpoint: (typeof cases)[number], adapterFolder: string): Promise<Float32Array> {
  const golden = goldenCase(checkpoint);
  const core = new LocalCore({
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 1,
    freeze: [],
    lora: readAdapterConfig(adapterFolder),
    adapterFolder,
    threads: 1,
    microBatchTokens: 512,
    rows: 8,
  });
  const completions = [{ tokenIds: golden.completion, weight: 1, advantage: 0 }];
  const { logProbs } = await core.logProbs([{ prompt: golden.prompt, completions }], plainScoring, "policy");
  core.save(`${scratch}/saved`, false);
  await core.close();
  return logProbs[0]!;
}

/** The tensors of a file as plain number arrays. */
function tensors(path: string): Record<string, { shape: readonly number[]; values: readonly number[] }> {
  const file = openSafetensors(path);
  const read = file.names.toSorted().map((name) => {
    return [name, { shape: file.info(name).shape, values: [...file.readFloat32(name)] }] as const;
  });
  file.close();
  return Object.fromEntries(read);
}

describe.each(["list", "everywhere", "uneven", "some_layers"])("the adapter %s that PEFT saved", (name) => {
  const folder = join(root, name);
  const { checkpoint, log_probs } = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8"));

  test("gives PEFT's log-probs within 1e-4, and is saved unchanged", async () => {
    expect(maxDifference(await logProbs(checkpoint, folder), log_probs)).toBeLessThan(1e-4);
    const weights = "adapter_model.safetensors";
    expect(tensors(join(scratch, "saved", weights))).toEqual(tensors(join(folder, weights)));
    const { base: _, source: _s, ...saved } = readAdapterConfig(join(scratch, "saved"));
    const { base: __, source: __s, ...original } = readAdapterConfig(folder);
    expect(saved).toEqual(original);
  });
});

test("an adapter from transformers 4, whose modules lack language_model, loads equally", async () => {
  const old = join(scratch, "old");
  cpSync(join(root, "list"), old, { recursive: true });
  const path = join(old, "adapter_model.safetensors");
  const file = openSafetensors(path);
  const renamed = file.names.map((name) => {
    const data = file.readFloat32(name);
    return { name: name.replace("model.language_model.", "model."), shape: file.info(name).shape, data };
  });
  file.close();
  writeSafetensors(path, renamed);
  const config = JSON.parse(readFileSync(join(old, "adapter_config.json"), "utf8"));
  const whole = { ...config, target_modules: "model\\.layers\\..*(q_proj|v_proj|up_proj)" };
  writeFileSync(join(old, "adapter_config.json"), JSON.stringify(whole));
  const { log_probs } = JSON.parse(readFileSync(join(old, "golden.json"), "utf8"));
  expect(maxDifference(await logProbs("ungrouped_untied", old), log_probs)).toBeLessThan(1e-4);
});

describe("an adapter_config.json", () => {
  const refusals = [
    [{ peft_type: "IA3" }, "peft_type: only LORA"],
    [{ use_dora: true }, "use_dora: DoRA"],
    [{ bias: "all" }, "bias: biases trained"],
    [{ lora_bias: true }, "lora_bias"],
    [{ modules_to_save: ["lm_head"] }, "modules_to_save: modules trained and stored whole"],
    [{ init_lora_weights: "pissa" }, "init_lora_weights: this initialisation"],
    [{ target_parameters: ["experts.down_proj"] }, "target_parameters"],
    [{ layer_replication: [[0, 4]] }, 'the key "layer_replication" with the value [[0,4]] is not supported'],
    [{ trainable_token_indices: [5] }, "trainable_token_indices"],
    [{ alora_invocation_tokens: [1] }, "alora_invocation_tokens"],
    [{ a_key_of_tomorrow: 3 }, 'the key "a_key_of_tomorrow" with the value 3 is not supported'],
    [{ r: 0 }, "r:"],
    [{ target_modules: null }, "target_modules"],
  ] as const;
  const original = JSON.parse(readFileSync(join(root, "list", "adapter_config.json"), "utf8"));

  test.each(refusals)("with %j is refused by name", (change, message) => {
    writeFileSync(join(scratch, "adapter_config.json"), JSON.stringify({ ...original, ...change }));
    expect(() => readAdapterConfig(scratch)).toThrow(UserError);
    expect(() => readAdapterConfig(scratch)).toThrow(message);
  });

  test("keeps dropout, and unknown keys that are disabled", () => {
    writeFileSync(
      join(scratch, "adapter_config.json"),
      JSON.stringify({ ...original, use_nothing: false, extra: null }),
    );
    expect(readAdapterConfig(scratch)).toMatchObject({ lora_dropout: 0.1, r: 3 });
  });
});

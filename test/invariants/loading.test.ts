/** Errors of loading and of insufficient context are one sentence that names the cause. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { engines } from "../../src/engine/index.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { randomWeights, readWeights } from "../../src/engine/local/weight-store.ts";
import type { NamedTensor } from "../../src/io/safetensors.ts";
import { openWeights, saveWeights } from "../../src/io/weights.ts";
import { parseConfig as parseIdefics3 } from "../../src/models/idefics3/config.ts";
import { openModel } from "../../src/models/index.ts";
import { parseConfig as parseQwen25 } from "../../src/models/qwen2_5_vl/config.ts";
import { parseConfig as parseQwen2 } from "../../src/models/qwen2_vl/config.ts";
import { parseConfig as parseQwen3 } from "../../src/models/qwen3_vl/config.ts";
import { type CaseName, goldenCase } from "../parity/golden.ts";
import { greedy } from "./setup.ts";

const golden = goldenCase("grouped_tied");
const untied = goldenCase("ungrouped_untied");
const scratch = mkdtempSync(join(tmpdir(), "viva-loading-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The checkpoint's tensors, changed, next to its own config.json. */
function changed(name: string, change: (tensors: NamedTensor[]) => NamedTensor[], from = golden.checkpoint): string {
  const folder = join(scratch, name);
  cpSync(from, folder, { recursive: true });
  const weights = openWeights(from);
  const tensors = weights.names.map((name) => {
    return { name, shape: weights.info(name).shape, data: weights.readFloat32(name) };
  });
  weights.close();
  saveWeights(folder, change(tensors));
  return folder;
}

const read = (folder: string) => readWeights(openModel(folder), folder);
const ends = (suffix: string) => (tensor: NamedTensor) => tensor.name.endsWith(suffix);
const storedNames = () => {
  const weights = openWeights(golden.checkpoint);
  weights.close();
  return weights.names;
};
const inFile = (suffix: string) => storedNames().find((name) => name.endsWith(suffix))!;

function expectUserError(attempt: () => unknown, ...parts: readonly string[]): void {
  expect(attempt).toThrow(UserError);
  for (const part of parts) expect(attempt).toThrow(part);
}

describe("a checkpoint's weights", () => {
  test("are told one by one as they are read", async () => {
    const told: (readonly [done: number, total: number])[] = [];
    const options = {
      ...{ modelFolder: golden.checkpoint, seed: 0, freeze: [], threads: 1 },
      initialise: "pretrained",
      ...{ microBatchTokens: 64, rows: 1 },
    } as const;
    const decoder = { decode: () => "", stopTokenIds: [], imageTokenId: -1 };
    const engine = await engines.local.open(options, decoder, undefined, (...at) => told.push(at));
    await engine.close();
    const total = Object.keys(openModel(golden.checkpoint).weights).length;
    expect(told).toEqual(Array.from({ length: total }, (_, done) => [done, total]));
  });

  test("missing tensors are named, the first three of many", () => {
    const one = changed("missing", (tensors) => tensors.filter((t) => !ends("layers.1.mlp.up_proj.weight")(t)));
    expectUserError(() => read(one), one, "model.layers.1.mlp.up_proj.weight is missing");
    const many = changed("many missing", (tensors) => tensors.filter((t) => !t.name.includes("layers.0.")));
    expectUserError(() => read(many), "model.layers.0.input_layernorm.weight", "and 9 more are missing");
  });

  test("a wrong shape is named with both shapes", () => {
    const wrong = (tensor: NamedTensor) =>
      ends("layers.0.mlp.down_proj.weight")(tensor) ? { ...tensor, shape: [...tensor.shape].reverse() } : tensor;
    const folder = changed("misshapen", (tensors) => tensors.map(wrong));
    expectUserError(() => read(folder), inFile("layers.0.mlp.down_proj.weight"), "[48,64]", "[64,48]");
  });

  test("an unexpected tensor is named", () => {
    const extra = { name: "model.layers.7.mlp.up_proj.weight", shape: [1], data: new Float32Array(1) };
    const folder = changed("unexpected", (tensors) => [...tensors, extra]);
    expectUserError(() => read(folder), extra.name, "not known to qwen2_vl");
  });

  test("a folder without weights is reported", () => {
    const folder = join(scratch, "no weights");
    cpSync(golden.checkpoint, folder, { recursive: true });
    rmSync(join(folder, "model.safetensors"));
    expectUserError(() => read(folder), folder);
  });

  const nested = (name: string) =>
    name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.");
  const flat = (name: string) => name.replace(/^model\.visual\./, "visual.").replace("model.language_model.", "model.");
  const bare = (name: string) => name.replace(/^model\./, "");
  const layouts: readonly [CaseName, string, (name: string) => string][] = [
    ...(["grouped_tied", "windows_tied", "deepstack_tied"] as const).flatMap(
      (name): [CaseName, string, (name: string) => string][] => [
        [name, "transformers 4", flat],
        [name, "transformers 5", (stored) => nested(flat(stored))],
      ],
    ),
    ["idefics3_split", "the model without its head", bare],
    ["smolvlm_several", "the model without its head", bare],
  ];
  test.each(layouts)("of %s: weights under the names of %s load equally", (name, label, rename) => {
    const { checkpoint } = goldenCase(name);
    const renamed = (tensors: NamedTensor[]) => tensors.map((t) => ({ ...t, name: rename(t.name) }));
    expect(read(changed(`${name} ${label}`, renamed, checkpoint))).toEqual(read(checkpoint));
  });

  test("a tied model ignores a copy of its embeddings and refuses another head, an untied one requires it", () => {
    const head = { name: "lm_head.weight", shape: [400, 64], data: new Float32Array(400 * 64) };
    const copied = (tensors: NamedTensor[]) => {
      const { data } = tensors.find(({ name }) => name === "model.embed_tokens.weight")!;
      return [...tensors, { ...head, data }];
    };
    expect(read(changed("tied head", copied))).toEqual(read(golden.checkpoint));
    const other = changed("another head", (tensors) => [...tensors, head]);
    expectUserError(() => read(other), '"lm_head.weight" differs from "model.embed_tokens.weight"');
    const without = (tensors: NamedTensor[]) => tensors.filter((t) => t.name !== "lm_head.weight");
    const folder = changed("untied", without, untied.checkpoint);
    expectUserError(() => read(folder), "lm_head.weight is missing");
  });
});

// biome-ignore lint/suspicious/noExplicitAny: a configuration that a test takes apart
type Json = any;

describe("config.json", () => {
  const configOf = (folder: string) => JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const oldLayout = join(golden.folder, "..", "old_layout");

  test.each([
    ["grouped_tied", parseQwen2],
    ["windows_tied", parseQwen25],
    ["deepstack_tied", parseQwen3],
    ["idefics3_split", parseIdefics3],
  ] as const)("of %s: the layout of transformers 4 parses as the current one", (name, parse) => {
    const { folder, checkpoint } = goldenCase(name);
    const oldLayout = join(folder, "..", "old_layout");
    const [old, present] = [configOf(oldLayout), configOf(checkpoint)];
    expect((old.text_config ?? old).rope_parameters).toBeUndefined();
    expect(present.text_config.rope_parameters).toBeDefined();
    expect(parse(old, "old")).toEqual(parse(present, "new"));
    expect(openModel(oldLayout).weights).toEqual(openModel(checkpoint).weights);
  });

  const refusals: readonly [CaseName, string, (config: Json) => void, readonly string[]][] = [
    ["windows_tied", "windows below a token", ({ vision_config: v }) => (v.window_size = 27), ["window_size 27"]],
    ["windows_tied", "another activation", ({ vision_config: v }) => (v.hidden_act = "gelu"), ["only silu"]],
    ["windows_tied", "another output width", ({ vision_config: v }) => (v.out_hidden_size = 8), ["out_hidden_size 8"]],
    [
      "deepstack_tied",
      "a block that is not there",
      ({ vision_config: v }) => (v.deepstack_visual_indexes = [0, 3]),
      ["[0,3]"],
    ],
    [
      "deepstack_tied",
      "a block twice",
      ({ vision_config: v }) => (v.deepstack_visual_indexes = [1, 1]),
      ["different blocks"],
    ],
    ["deepstack_tied", "too few layers", ({ text_config: t }) => (t.num_hidden_layers = 1), ["1 language layers"]],
    [
      "deepstack_tied",
      "scaled rotary positions",
      ({ text_config: t }) => (t.rope_parameters.rope_type = "yarn"),
      ["default"],
    ],
    ["deepstack_tied", "no heads of four parts", ({ vision_config: v }) => (v.num_heads = 3), ["4 x num_heads 3"]],
  ];
  test.each(refusals)("%s: %s is named", (name, label, change, parts) => {
    const config = configOf(goldenCase(name).checkpoint);
    change(config);
    const folder = join(scratch, `refused ${name} ${label}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    expectUserError(() => openModel(folder), join(folder, "config.json"), ...parts);
  });

  test.each<[string, (config: Record<string, unknown>) => unknown, readonly string[]]>([
    [
      "an unknown family",
      (config) => ({ ...config, model_type: "gpt2" }),
      ['unknown model_type "gpt2", known: qwen2_vl, qwen2_5_vl, qwen3_vl'],
    ],
    ["a missing size", ({ hidden_size: _, ...config }) => config, ["hidden_size"]],
    ["no rotary sections", ({ rope_scaling: _, ...config }) => config, ["mrope_section is missing"]],
    [
      "sections of another head",
      (config) => ({ ...config, num_attention_heads: 8 }),
      ["mrope_section [2,3,3] must sum"],
    ],
    ["sliding windows", (config) => ({ ...config, use_sliding_window: true }), ["sliding-window"]],
  ])("%s is named", (name, change, parts) => {
    const folder = join(scratch, `config ${name}`);
    cpSync(oldLayout, folder, { recursive: true });
    writeFileSync(join(folder, "config.json"), JSON.stringify(change(configOf(oldLayout))));
    expectUserError(() => openModel(folder), join(folder, "config.json"), ...parts);
  });
});

test("random weights depend only on seed and name", () => {
  const model = openModel(golden.checkpoint);
  const [a, b, other] = [
    randomWeights(model.weights, 3),
    randomWeights(model.weights, 3),
    randomWeights(model.weights, 4),
  ];
  expect(a).toEqual(b);
  for (const [name, { initialiser }] of Object.entries(model.weights)) {
    const data = a[name]!.data as Float32Array;
    if (initialiser.kind === "normal") {
      expect(data, name).not.toEqual(other[name]!.data);
      const std = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
      expect(Math.abs(std / initialiser.std - 1), name).toBeLessThan(0.1);
    } else {
      const value = initialiser.kind === "ones" ? 1 : 0;
      expect(
        data.every((v) => v === value),
        name,
      ).toBe(true);
    }
  }
});

describe("a context too small", () => {
  const open = () =>
    new LocalCore({
      modelFolder: golden.checkpoint,
      initialise: "pretrained",
      seed: 1,
      freeze: [],
      threads: 1,
      microBatchTokens: 4096,
      rows: 4,
    });

  test("sampling reports what does not fit", async () => {
    const core = open();
    const prompt = golden.prompt.tokenIds.length;
    expect(core.contextLength).toBe(512);
    const sample = (maxCompletionLength: number) =>
      core.sample([golden.prompt], { ...greedy, maxCompletionLength }, () => {});
    await expect(sample(512 - prompt + 1)).rejects.toThrow(UserError);
    await expect(sample(600)).rejects.toThrow(
      `a prompt of ${prompt} tokens and a completion of 600 do not fit the model's context of 512 tokens`,
    );
    await core.close();
  });
});

/** What cannot be loaded or cannot fit is one sentence that names it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { randomWeights, readWeights } from "../../src/engine/local/weight-store.ts";
import type { NamedTensor } from "../../src/io/safetensors.ts";
import { openWeights, saveWeights } from "../../src/io/weights.ts";
import { openModel } from "../../src/models/index.ts";
import { parseConfig } from "../../src/models/qwen2_vl/config.ts";
import { goldenCase } from "../parity/golden.ts";
import { greedy } from "./setup.ts";

const golden = goldenCase("grouped_tied");
const untied = goldenCase("ungrouped_untied");
const scratch = mkdtempSync(join(tmpdir(), "viva-loading-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The checkpoint's tensors, changed, beside its own config.json. */
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

  test("a folder without weights says so", () => {
    const folder = join(scratch, "no weights");
    cpSync(golden.checkpoint, folder, { recursive: true });
    rmSync(join(folder, "model.safetensors"));
    expectUserError(() => read(folder), folder);
  });

  test("names of transformers 4 and 5, and half precision, load alike", () => {
    const expected = read(golden.checkpoint);
    const nested = (name: string) =>
      name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.");
    const flat = (name: string) =>
      name.replace(/^model\.visual\./, "visual.").replace("model.language_model.", "model.");
    for (const [label, rename] of [
      ["flat", flat],
      ["nested", (name: string) => nested(flat(name))],
    ] as const) {
      const folder = changed(label, (tensors) => tensors.map((t) => ({ ...t, name: rename(t.name) })));
      expect(read(folder)).toEqual(expected);
    }
  });

  test("a tied model passes a stored head over, an untied one needs it", () => {
    const head = { name: "lm_head.weight", shape: [400, 64], data: new Float32Array(400 * 64) };
    expect(read(changed("tied head", (tensors) => [...tensors, head]))).toEqual(read(golden.checkpoint));
    const without = (tensors: NamedTensor[]) => tensors.filter((t) => t.name !== "lm_head.weight");
    const folder = changed("untied", without, untied.checkpoint);
    expectUserError(() => read(folder), "lm_head.weight is missing");
  });
});

describe("config.json", () => {
  const configOf = (folder: string) => JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const oldLayout = join(golden.folder, "..", "old_layout");

  test("the flat layout of transformers 4 parses as the nested one", () => {
    const [old, nested] = [configOf(oldLayout), configOf(golden.checkpoint)];
    expect(old.text_config).toBeUndefined();
    expect(nested.text_config).toBeDefined();
    expect(parseConfig(old, "old")).toEqual(parseConfig(nested, "new"));
    expect(openModel(oldLayout).weights).toEqual(openModel(golden.checkpoint).weights);
  });

  test.each<[string, (config: Record<string, unknown>) => unknown, readonly string[]]>([
    ["an unknown family", (config) => ({ ...config, model_type: "gpt2" }), ['unknown model_type "gpt2"', "qwen2_vl"]],
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

test("random weights depend on seed and name alone", () => {
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

  test("sampling says what does not fit", async () => {
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

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RunError, UserError } from "../core/errors.ts";
import { float32ToBfloat16 } from "../io/float16.ts";
import { type NamedTensor, writeSafetensors } from "../io/safetensors.ts";
import { openWeights, saveWeights } from "../io/weights.ts";
import { readAdapter, readAdapterConfig, writeAdapter } from "./adapter-files.ts";
import { openModel } from "./index.ts";
import { withLora } from "./lora.ts";
import { openStoredWeights } from "./stored-weights.ts";

const tied = "test/golden/qwen2_vl/grouped_tied/checkpoint";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-weights-"));
  cpSync(tied, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The checkpoint's tensors, changed, written back. */
function rewrite(edit: (tensors: NamedTensor[]) => NamedTensor[], o: Parameters<typeof saveWeights>[2] = {}): void {
  const weights = openWeights(tied);
  const tensors = weights.names.map((name) => {
    return { name, shape: weights.info(name).shape, data: weights.readFloat32(name) };
  });
  weights.close();
  saveWeights(folder, edit(tensors), o);
}

/** Reads every weight of the model. */
function readAll(): void {
  const model = openModel(folder);
  const weights = openStoredWeights(model, folder);
  try {
    for (const name of Object.keys(model.weights)) weights.read(name);
  } finally {
    weights.close();
  }
}

const embedding = "model.embed_tokens.weight";
const poisoned = (value: number) => (tensors: NamedTensor[]) =>
  tensors.map((tensor) => {
    if (!tensor.name.endsWith("layers.1.mlp.up_proj.weight")) return tensor;
    const data = tensor.data.slice();
    data[7] = value;
    return { ...tensor, data };
  });

describe("numbers that are not finite", () => {
  it.each([
    [Number.NaN, "F32"],
    [Number.POSITIVE_INFINITY, "F16"],
    [Number.NEGATIVE_INFINITY, "BF16"],
    [1e39, "F32"],
  ] as const)("%s in %s end with the tensor, its file and its place", (value, dtype) => {
    rewrite(poisoned(value), { dtype });
    expect(readAll).toThrow(RunError);
    expect(readAll).toThrow(
      /model\.safetensors: tensor ".*layers\.1\.mlp\.up_proj\.weight" holds \S+ \(value 8 of \d+\)/,
    );
  });

  it("are found in the shard that holds them", () => {
    rewrite(poisoned(Number.NaN), { maxShardBytes: 50_000 });
    expect(readAll).toThrow(/model-000\d\d-of-000\d\d\.safetensors: tensor .*up_proj/);
  });

  it("have any payload in bfloat16", () => {
    const bits = new Uint32Array([0x7f810000, 0xffc10000, 0x7fff0000]);
    const words = float32ToBfloat16(new Float32Array(bits.buffer));
    expect([...words].every((word) => (word & 0x7f80) === 0x7f80 && (word & 0x7f) !== 0)).toBe(true);
    for (const value of new Float32Array(bits.buffer)) {
      rewrite(poisoned(value), { dtype: "BF16" });
      expect(readAll).toThrow(/holds NaN/);
    }
  });

  it("are not the largest ones, nor the smallest", () => {
    rewrite(poisoned(3.4028234663852886e38));
    expect(readAll).not.toThrow();
    rewrite(poisoned(-1e-45));
    expect(readAll).not.toThrow();
  });

  it.each(["lora_A", "lora_B"])("in %s of an adapter end so too", (part) => {
    const golden = "test/golden/peft/list";
    cpSync(golden, join(folder, "adapter"), { recursive: true });
    const config = readAdapterConfig(join(folder, "adapter"));
    const model = withLora(openModel(config.base), config);
    const path = join(folder, "adapter", "adapter_model.safetensors");
    const stored = Object.entries(readAdapter(model, join(folder, "adapter"))).map(([name, data]) => {
      const { shape } = model.weights[name]!;
      const [, layer, suffix] = /^(.*)\.(lora_[AB]\.weight)$/.exec(name)!;
      return { name: `base_model.model.${model.moduleName(layer!)}.${suffix}`, shape, data };
    });
    stored.find(({ name }) => name.includes(part))!.data[3] = Number.NaN;
    writeSafetensors(path, stored);
    expect(() => readAdapter(model, join(folder, "adapter"))).toThrow(RunError);
    expect(() => readAdapter(model, join(folder, "adapter"))).toThrow(
      new RegExp(`adapter_model\\.safetensors: tensor ".*${part}\\.weight" holds NaN \\(value 4 of`),
    );
  });

  it("are written to no adapter", () => {
    const config = readAdapterConfig("test/golden/peft/list");
    const model = withLora(openModel(config.base), config);
    const out = join(folder, "written");
    mkdirSync(out);
    const write = () => writeAdapter(model, out, config, () => new Float32Array(1e6).fill(Number.POSITIVE_INFINITY));
    expect(write).toThrow(/^what was to be written to .*written.adapter_model\.safetensors: tensor .* holds Infinity/);
    expect(readdirSync(out)).toEqual([]);
  });
});

describe("a head beside tied embeddings", () => {
  const withHead = (edit: (data: Float32Array) => void) => (tensors: NamedTensor[]) => {
    const own = tensors.find(({ name }) => name.endsWith("embed_tokens.weight"))!;
    const data = own.data.slice();
    edit(data);
    return [...tensors, { name: "lm_head.weight", shape: own.shape, data }];
  };

  it("is passed over where it is a copy", () => {
    rewrite(withHead(() => {}));
    expect(readAll).not.toThrow();
  });

  it("is refused where one number differs, with both names and the key", () => {
    rewrite(withHead((data) => data.set([data.at(-1)! + 1], data.length - 1)));
    expect(readAll).toThrow(UserError);
    expect(readAll).toThrow(/model\.safetensors: "\S+" differs from "\S+", .*tie_word_embeddings: false/);
  });

  it("stands for the embedding where the file has no other", () => {
    rewrite((tensors) =>
      tensors.map((tensor) =>
        tensor.name.endsWith("embed_tokens.weight") ? { ...tensor, name: "lm_head.weight" } : tensor,
      ),
    );
    expect(readAll).not.toThrow();
    expect(Object.keys(openModel(folder).weights)).toContain(embedding);
  });
});

import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { openWeights, saveWeights } from "./weights.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-weights-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const tensors = ["a", "b", "c"].map((name, i) => ({ name, shape: [2, 2], data: new Float32Array(4).fill(i + 0.5) }));
const index = "model.safetensors.index.json";

function expectTensors(): void {
  const weights = openWeights(folder);
  expect([...weights.names].sort()).toEqual(["a", "b", "c"]);
  for (const { name, shape, data } of tensors) {
    expect(weights.info(name).shape).toEqual(shape);
    expect(weights.readFloat32(name)).toEqual(data);
  }
  expect(weights.has("a") && !weights.has("d")).toBe(true);
  expect(() => weights.readFloat32("d")).toThrow(/hold no tensor "d"/);
  weights.close();
}

describe("saveWeights and openWeights", () => {
  it("one file", () => {
    saveWeights(folder, tensors);
    expect(readdirSync(folder)).toEqual(["model.safetensors"]);
    expectTensors();
  });

  it("shards with an index as transformers writes it", () => {
    saveWeights(folder, tensors, { maxShardBytes: 16, dtype: "BF16" });
    expect(readdirSync(folder).sort()).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      index,
    ]);
    expect(JSON.parse(readFileSync(join(folder, index), "utf8"))).toEqual({
      metadata: { total_size: 24 },
      weight_map: {
        a: "model-00001-of-00002.safetensors",
        b: "model-00001-of-00002.safetensors",
        c: "model-00002-of-00002.safetensors",
      },
    });
    expectTensors();
  });

  it("removes what it replaces and nothing else", () => {
    writeFileSync(join(folder, "config.json"), "{}");
    saveWeights(folder, tensors, { maxShardBytes: 1 });
    expect(readdirSync(folder)).toHaveLength(5);
    saveWeights(folder, tensors);
    expect(readdirSync(folder)).toEqual(["config.json", "model.safetensors"]);
    saveWeights(folder, tensors, { maxShardBytes: 16 });
    expect(readdirSync(folder)).not.toContain("model.safetensors");
    expectTensors();
  });

  it("reads a checkpoint of transformers", () => {
    const weights = openWeights("test/golden/qwen2_vl/two_images/checkpoint");
    expect(weights.info("model.embed_tokens.weight")).toMatchObject({ dtype: "F32", shape: [400, 32] });
    weights.close();
  });
});

describe("openWeights refuses", () => {
  const withIndex = (content: unknown): void => {
    saveWeights(folder, tensors, { maxShardBytes: 32 });
    writeFileSync(join(folder, index), typeof content === "string" ? content : JSON.stringify(content));
  };
  const shard = "model-00001-of-00002.safetensors";

  it.each<[string, unknown, RegExp]>([
    ["broken JSON", "{", /weight index .* is not valid JSON/],
    ["null", "null", /has no "weight_map" object/],
    ["no map", {}, /has no "weight_map" object/],
    ["a list", { weight_map: [] }, /has no "weight_map" object/],
    ["an empty map", { weight_map: {} }, /empty "weight_map"/],
    ["a parent folder", { weight_map: { a: "../model.safetensors" } }, /"\.\.\/model\.safetensors"; a shard must be/],
    ["..", { weight_map: { a: ".." } }, /a shard must be a file name/],
    ["an absolute path", { weight_map: { a: "/etc/passwd" } }, /a shard must be a file name/],
    ["a Windows path", { weight_map: { a: "C:\\x" } }, /a shard must be a file name/],
    ["a sub-folder", { weight_map: { a: "sub/x.safetensors" } }, /a shard must be a file name/],
    ["a zero byte", { weight_map: { a: "x\0" } }, /a shard must be a file name/],
    ["a number", { weight_map: { a: 3 } }, /places tensor "a" in no file/],
    [
      "a missing shard",
      { weight_map: { a: "model-9.safetensors" } },
      /names shard model-9.safetensors, which is missing/,
    ],
    [
      "a missing tensor",
      { weight_map: { a: shard, zz: shard } },
      /places tensor "zz" in model-00001.*, which lacks it/,
    ],
  ])("an index with %s", (_, content, message) => {
    withIndex(content);
    expect(() => openWeights(folder)).toThrow(UserError);
    expect(() => openWeights(folder)).toThrow(message);
  });

  it("a folder without weights, saying what it found", () => {
    expect(() => openWeights(folder)).toThrow(/holds neither model.safetensors nor model.safetensors.index.json$/);
    writeFileSync(join(folder, "pytorch_model.bin"), "");
    expect(() => openWeights(folder)).toThrow(/pytorch_model.bin cannot be read: convert it to safetensors first/);
    writeFileSync(join(folder, "adapter_model.safetensors"), "");
    expect(() => openWeights(folder)).toThrow(/it holds an adapter/);
    expect(() => openWeights(join(folder, "none"))).toThrow(/there is no such folder/);
    expect(() => openWeights(join(folder, "pytorch_model.bin"))).toThrow(/it is a file, not a model folder/);
  });
});

describe("a model larger than the memory it may take", () => {
  const ROWS = 32_768;
  const WIDTH = 2048;

  /** Eight BF16 matrices, 1 GiB of zeros that no disk holds, the last value of each 1.5. */
  function writeSparse(): void {
    const bytes = 2 * ROWS * WIDTH;
    const entries = Array.from({ length: 8 }, (_, i) => {
      return [`w${i}`, { dtype: "BF16", shape: [ROWS, WIDTH], data_offsets: [i * bytes, (i + 1) * bytes] }];
    });
    const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(json.length));
    const path = join(folder, "model.safetensors");
    writeFileSync(path, Buffer.concat([prefix, json]));
    const start = 8 + json.length;
    truncateSync(path, start + 8 * bytes);
    const file = openSync(path, "r+");
    for (let i = 1; i <= 8; i++) writeSync(file, Uint8Array.of(0xc0, 0x3f), 0, 2, start + i * bytes - 2);
    closeSync(file);
  }

  it("is read by names and rows within 100 MB beyond what starting takes", () => {
    writeSparse();
    const moduleAt = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const script = `
      import { openWeights } from ${moduleAt("./weights.ts")};
      import { peakMemoryGb } from ${moduleAt("../core/peak-memory.ts")};
      const before = peakMemoryGb();
      const weights = openWeights(process.argv[1]);
      let sum = 0;
      for (const name of weights.names) {
        const [rows] = weights.info(name).shape;
        for (let from = 0; from < rows; from += 1024) sum += weights.readRows(name, from, from + 1024).at(-1);
      }
      console.log(JSON.stringify({ sum, megabytes: 1000 * (peakMemoryGb() - before) }));`;
    const args = ["--import", "tsx", "--input-type=module", "-e", script, folder];
    const { sum, megabytes } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
    expect(sum).toBe(8 * 1.5);
    expect(megabytes).toBeLessThan(100);
  });
});

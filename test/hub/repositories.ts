/** Small repositories for the imitated Hub, and a cache of its own for every test. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type HubSettings, hubSettings, openRepositoryId, type Repository } from "../../src/io/hub/index.ts";
import { saveWeights } from "../../src/io/weights.ts";

/** Configuration, tokenizer, processor and two shards, beside files that no model needs. */
export function modelFiles(): Readonly<Record<string, Uint8Array>> {
  const folder = mkdtempSync(join(tmpdir(), "viva-repository-"));
  const tensors = ["a", "b"].map((name, i) => ({ name, shape: [64, 64], data: new Float32Array(4096).fill(i + 0.5) }));
  saveWeights(folder, tensors, { maxShardBytes: 17_000 });
  const files = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  rmSync(folder, { recursive: true });
  const text = (value: object) => Buffer.from(JSON.stringify(value));
  return {
    ...files,
    "config.json": text({ model_type: "test" }),
    "tokenizer.json": text({ model: { vocab: "x".repeat(300) } }),
    "preprocessor_config.json": text({ patch_size: 14 }),
    "README.md": Buffer.from("a model"),
    "pytorch_model.bin": Buffer.alloc(1000, 1),
    "modeling_test.py": Buffer.from("import os"),
    "onnx/model.onnx": Buffer.alloc(500, 2),
  };
}

/** What viva downloads of `modelFiles`. */
export const WANTED = [
  "README.md",
  "config.json",
  "model-00001-of-00002.safetensors",
  "model-00002-of-00002.safetensors",
  "model.safetensors.index.json",
  "preprocessor_config.json",
  "tokenizer.json",
];

export function model(id: string, revision: string | null = null): Repository {
  return openRepositoryId("model", id, revision);
}

/** Settings with a fresh cache, as environment variables would give them. */
export function settings(endpoint: string, env: Readonly<Record<string, string>> = {}): HubSettings {
  return hubSettings({ HF_ENDPOINT: endpoint, HF_HOME: temporaryFolder(), ...env });
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder that goes after the test. */
export function temporaryFolder(): string {
  folders.push(realpathSync(mkdtempSync(join(tmpdir(), "viva-hub-"))));
  return folders.at(-1)!;
}

/** Every file and link below a folder, by sorted relative path. */
export function filesBelow(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return entries.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

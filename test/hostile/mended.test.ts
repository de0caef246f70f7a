/** Hostile files that once hung, allocated or crashed, one by one. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { randomWeights } from "../../src/engine/local/weight-store.ts";
import { loadTokenizer } from "../../src/io/tokenizer.ts";
import { openWeights } from "../../src/io/weights.ts";
import { openModel, openProcessor } from "../../src/models/index.ts";

const source = fileURLToPath(new URL("../golden/qwen2_vl/grouped_tied/checkpoint", import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-mended-"));
  cpSync(source, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

type Json = Record<string, never>;

/** Changes a JSON file of the checkpoint. */
function change(name: string, edit: (json: Json) => unknown): void {
  const json = JSON.parse(readFileSync(join(folder, name), "utf8"));
  edit(json);
  writeFileSync(join(folder, name), JSON.stringify(json));
}

/** Works once: some of it takes ten seconds to be refused. */
const refuses = (work: () => unknown, message: RegExp) => {
  let error: unknown = null;
  try {
    work();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).toMatch(message);
};

describe("a checkpoint is refused in one sentence", () => {
  it("for an id that a table would be as long as", () => {
    change("tokenizer.json", (json) => Object.assign(json["model"]!["vocab"], { a: 2 ** 31 - 1 }));
    refuses(() => loadTokenizer(folder), /model\.vocab has "a" as 2147483647; an id must be/);
    change("tokenizer.json", (json) => Object.assign(json["model"]!["vocab"], { a: [] }));
    refuses(() => loadTokenizer(folder), /"a" as object/);
    change("tokenizer.json", (json) => Object.assign(json["model"]!, { vocab: [1e300, 2 ** 31] }));
    refuses(() => loadTokenizer(folder), /model\.vocab is a list, but not one of tokens and scores/);
  });

  it("for a tokenizer that cannot encode, at any depth of its steps", () => {
    const deep = `${'{"type":"Sequence","pretokenizers":['.repeat(20_000)}${"]}".repeat(20_000)}`;
    change("tokenizer.json", (json) => Object.assign(json, { pre_tokenizer: "@" }));
    const path = join(folder, "tokenizer.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"@"', deep));
    refuses(() => loadTokenizer(folder).encode("text"), /tokenizer\.json (is not a tokenizer|cannot turn)/);
  });

  it("for a pattern that never ends", () => {
    const step = { type: "Split", pattern: { Regex: "^(\\s*\\S*)*\u0001" }, behavior: "Isolated", invert: false };
    change("tokenizer.json", (json) => Object.assign(json, { pre_tokenizer: step }));
    const tokenizer = loadTokenizer(folder);
    refuses(() => tokenizer.encode("a b ".repeat(50)), /not done after 10 s: a pattern in it may never end/);
  }, 60_000);

  it.each([
    ["num_hidden_layers", 1e9, /num_hidden_layers is 1000000000; more than 1000 is not believed/],
    ["hidden_size", 2 ** 40, /hidden_size is 1099511627776; more than 16777216/],
  ])("for %s of %d", (key, value, message) => {
    change("config.json", (json) => Object.assign(json["text_config"] ?? json, { [key]: value }));
    refuses(() => openModel(folder), message);
  });

  it("for random weights that no memory holds", () => {
    change("config.json", (json) =>
      Object.assign(json["text_config"] ?? json, { vocab_size: 2 ** 24, intermediate_size: 2 ** 24 }),
    );
    change("config.json", (json) => Object.assign(json["text_config"] ?? json, { num_hidden_layers: 1000 }));
    const { weights } = openModel(folder);
    refuses(
      () => randomWeights(weights, 1),
      /config\.json describes weights of .* GB, more than this machine's memory/,
    );
  });

  it.each([
    [{ patch_size: 100_000 }, /patch_size/],
    [{ temporal_patch_size: 1e6 }, /temporal_patch_size/],
    [{ min_pixels: 1e12, max_pixels: 1e13 }, /min_pixels 1000000000000 would enlarge every image/],
    [{ image_std: [0, 1, 1] }, /image_std: must not be 0/],
  ])("for a processor with %j", async (values, message) => {
    change("preprocessor_config.json", (json) => Object.assign(json, values));
    await expect(openProcessor(folder)).rejects.toThrow(message);
    await expect(openProcessor(folder)).rejects.toThrow(UserError);
  });

  it("for an index whose names break lines or lead away", () => {
    rmSync(join(folder, "model.safetensors"));
    for (const [name, shard, message] of [
      ["a\nb", "x.safetensors", /names "a\\nb", which no tensor is called/],
      ["a", "x\ny", /places tensor "a" in "x\\ny"; a shard must be/],
      ["a", "x".repeat(300), /a shard must be a file name/],
      ["a", "../../x.safetensors", /a shard must be a file name/],
      ["__proto__", "x.safetensors", /which no tensor is called/],
    ] as const) {
      const index = `{"weight_map":{${JSON.stringify(name)}:${JSON.stringify(shard)}}}`;
      writeFileSync(join(folder, "model.safetensors.index.json"), index);
      refuses(() => openWeights(folder), message);
    }
  });
});

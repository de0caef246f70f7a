import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openSentenceEncoder } from "./sentence-encoder.ts";

const goldens = join(import.meta.dirname, "../../test/golden/sentence_encoder");

interface Golden {
  readonly texts: readonly string[];
  readonly vectors: readonly (readonly number[])[];
}

function golden(name: string): Golden {
  return JSON.parse(readFileSync(join(goldens, name, "golden.json"), "utf8")) as Golden;
}

describe("the sentence encoder equals sentence-transformers", () => {
  it.each(["mean", "cls"])("with %s pooling, one by one and in a batch", async (name) => {
    const { texts, vectors } = golden(name);
    const encoder = await openSentenceEncoder(join(goldens, name), 1);
    try {
      const together = await encoder.encode(texts);
      const alone = await Promise.all(texts.map(async (text) => (await encoder.encode([text]))[0]!));
      for (const [i, wanted] of vectors.entries()) {
        for (const given of [together[i]!, alone[i]!]) {
          expect(given).toHaveLength(wanted.length);
          for (const [k, value] of wanted.entries()) expect(Math.abs(given[k]! - value)).toBeLessThan(1e-5);
        }
      }
      expect(await encoder.encode([])).toEqual([]);
    } finally {
      await encoder.close();
    }
  });

  it("needs more than one batch for many texts", async () => {
    const { texts, vectors } = golden("mean");
    const encoder = await openSentenceEncoder(join(goldens, "mean"), 1);
    const many = await encoder.encode(Array.from({ length: 70 }, (_, i) => texts[i % texts.length]!));
    await encoder.close();
    expect(many).toHaveLength(70);
    expect(Math.abs(many[69]![0]! - vectors[69 % texts.length]![0]!)).toBeLessThan(1e-5);
  });
});

describe("a folder that is not a sentence encoder", () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  function copy(): string {
    const folder = mkdtempSync(join(tmpdir(), "viva-encoder-"));
    folders.push(folder);
    cpSync(join(goldens, "mean"), folder, { recursive: true });
    return folder;
  }

  it("is named together with the problem", async () => {
    const empty = mkdtempSync(join(tmpdir(), "viva-encoder-"));
    folders.push(empty);
    await expect(openSentenceEncoder(empty)).rejects.toThrow(/no model.onnx in it/);
    const broken = copy();
    writeFileSync(join(broken, "model.onnx"), "nonsense");
    await expect(openSentenceEncoder(broken)).rejects.toThrow(/is not a model that ONNX Runtime can read/);
    const pooled = copy();
    writeFileSync(join(pooled, "1_Pooling/config.json"), JSON.stringify({ pooling_mode_max_tokens: true }));
    await expect(openSentenceEncoder(pooled)).rejects.toThrow(
      /pooling must be mean or cls, got pooling_mode_max_tokens/,
    );
    const dense = copy();
    writeFileSync(
      join(dense, "modules.json"),
      JSON.stringify([{ path: "2", type: "sentence_transformers.models.Dense" }]),
    );
    await expect(openSentenceEncoder(dense)).rejects.toThrow(/module Dense is not supported/);
    const wordless = copy();
    rmSync(join(wordless, "tokenizer.json"));
    await expect(openSentenceEncoder(wordless)).rejects.toThrow(/tokenizer.json/);
  });

  it("reads the newer pooling configuration, and defaults to mean pooling", async () => {
    const { texts, vectors } = golden("mean");
    for (const change of ["newer", "none"] as const) {
      const folder = copy();
      const pooling = join(folder, "1_Pooling/config.json");
      if (change === "newer") writeFileSync(pooling, JSON.stringify({ embedding_dimension: 16, pooling_mode: "mean" }));
      else rmSync(pooling);
      const encoder = await openSentenceEncoder(folder, 1);
      const [vector] = await encoder.encode(texts.slice(0, 1));
      await encoder.close();
      expect(Math.abs(vector![0]! - vectors[0]![0]!)).toBeLessThan(1e-5);
    }
  });
});

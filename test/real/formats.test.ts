import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonLines, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeRecipe, writeTinyModel } from "../cli/tiny-run.ts";
import { describeWithPython } from "./python.ts";

const needs = { name: "datasets", requirements: ["datasets==5.2.0", "pyarrow==26.0.1", "pillow==13.0.0"] };
const german = { question: "Frage", answer: "Antwort", image: "Bild" };
const kinds: readonly (readonly [file: string, own: object])[] = [
  ["own_columns.parquet", { columns: { ...german, subject: "pid" } }],
  ["own_columns.csv", { columns: german }],
  ["saved", { split: "train", columns: { subject: "pid" } }],
  ["llava.json", {}],
  ["llava.jsonl", {}],
  ["openai.jsonl", {}],
  ["swift.jsonl", {}],
  ["trl.jsonl", {}],
];

await describeWithPython("files that other tools write", needs, ({ python }) => {
  const folder = mkdtempSync(join(tmpdir(), "viva-formats-"));
  const at = (...path: string[]) => join(folder, ...path);
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(() => {
    process.env["VIVA_CACHE"] = at("cache");
    const script = fileURLToPath(new URL("../../scripts/goldens/formats.py", import.meta.url));
    execFileSync(python, [script, at("formats")], { stdio: "pipe" });
    writeTinyModel(at("model"));
  });

  it.each(kinds)("two steps on %s", async (file, own) => {
    const { data: _, ...recipe } = tinyRecipe({ model: at("model"), data: "" });
    const train = { name: "files", path: at("formats", file), split: "all", ...own };
    const stages = [{ kind: "sft", steps: 2, batch_size: 2, learning_rate: 0.001 }];
    writeRecipe(at(`${file}.yaml`), { ...recipe, data: { train }, stages, evaluate: null });
    await vivaOk(folder, "train", `${file}.yaml`, "--run", `run-${file}`);
    expect(jsonLines(at(`run-${file}`, "metrics.jsonl")).at(-1)).toMatchObject({ step: 2 });
  });
});

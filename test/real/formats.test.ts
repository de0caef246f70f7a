import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonLines, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "../cli/tiny-run.ts";
import { describeWithPython } from "./python.ts";
import { trainers } from "./trainers.ts";

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

/** What ms-swift makes of a question and its answer when it reads and writes a data set. */
const SWIFT = `
import json, sys
source, target, image = sys.argv[1:]
rows = [{"query": f"<image>Is it {what}?", "response": said, "images": [image]} for what, said in (("dark", "no"), ("bright", "yes"))]
open(source, "w").write("".join(json.dumps(row) + "\\n" for row in rows))
from swift.dataset import load_dataset
load_dataset([source])[0].to_json(target)
`;

await describeWithPython("a data set that ms-swift wrote", trainers, ({ python }) => {
  it("trains two steps", { timeout: 5 * 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "viva-swift-"));
    try {
      await writeFilms(join(folder, "films"));
      const [given, written] = [join(folder, "given.jsonl"), join(folder, "written.jsonl")];
      execFileSync(python, ["-c", SWIFT, given, written, join(folder, "films/images/3.jpg")], {
        stdio: "pipe",
        cwd: folder,
      });
      const { data: _, ...recipe } = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data: "" });
      const stages = [{ kind: "sft", steps: 2, batch_size: 2, learning_rate: 0.001 }];
      const data = { train: { name: "files", path: written, split: "all" } };
      writeRecipe(join(folder, "swift.yaml"), { ...recipe, data, stages, evaluate: null });
      await vivaOk(folder, "train", "swift.yaml", "--run", "run");
      expect(jsonLines(join(folder, "run"), "metrics.jsonl").at(-1)).toMatchObject({ step: 2 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Every command of docs/tutorials is run, page by page, on small data and with few steps. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, inject, it, test } from "vitest";
import { root, temporaryFolder } from "../cli/command-line.ts";
import { writeDicom } from "../cli/dicom-writer.ts";
import { writeFilms } from "../cli/tiny-run.ts";
import { freePort } from "../free-port.ts";

const pages = join(root, "docs/tutorials");

/** What a page leaves behind that says its commands did what it says they do. */
const results: Readonly<Record<string, readonly string[]>> = {
  "own-images.md": ["recipe.yaml", "runs/mine/report.html", "after.jsonl", "report.html", "my-model/model.safetensors"],
  "judge.md": ["runs/judged/report.html", "runs/judged/replies"],
  "study.md": ["runs/quick/study.json", "arms.html"],
  "hospital.md": ["key.txt"],
  "federation.md": ["runs/hospitals/global/round-0002/round.json", "runs/north-alone/evals.jsonl"],
};

/** Steps are cut short; nothing else of a command is changed. */
const shorter = "--set stages.0.steps=2 --set evaluate.limit=4";

test("every tutorial is run", () => {
  expect(
    readdirSync(pages)
      .filter((name) => name !== "README.md")
      .sort(),
  ).toEqual(Object.keys(results).sort());
});

it.each(Object.keys(results))(
  "%s",
  async (page) => {
    const folder = temporaryFolder();
    await writeFilms(join(folder, "my-data"));
    if (page === "own-images.md") await asDicom(join(folder, "my-data"));
    const bin = join(folder, "bin");
    mkdirSync(bin);
    const main = join(inject("built"), "dist/cli/main.js");
    const short = `case "$1 $*" in *--resume*) ;; train*) set -- "$@" ${shorter} ;; esac`;
    writeFileSync(join(bin, "viva"), `#!/bin/bash\n${short}\nexec ${process.execPath} ${main} "$@"\n`);
    chmodSync(join(bin, "viva"), 0o755);
    const blocks = [...readFileSync(join(pages, page), "utf8").matchAll(/^```sh\n(.*?)^```$/gms)].map(
      ([, code]) => code!,
    );
    const script = `set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n${blocks.join("\n")}`;
    const { code, output } = await bash(script.replaceAll(/\b8000\b/g, String(await freePort())), folder, bin);
    expect(code, output).toBe(0);
    for (const result of results[page]!) expect(readdirSync(folder, { recursive: true }), output).toContain(result);
  },
  10 * 60_000,
);

/** The films of a data folder as a scanner writes them. */
async function asDicom(folder: string): Promise<void> {
  for (const name of readdirSync(join(folder, "images"))) {
    const file = join(folder, "images", name);
    const { data, info } = await sharp(file).greyscale().raw().toBuffer({ resolveWithObject: true });
    writeDicom(file.replace(/jpg$/, "dcm"), { ...info, grey: data, patient: name });
    rmSync(file);
  }
  for (const split of ["train.jsonl", "test.jsonl"]) {
    const file = join(folder, split);
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(".jpg", ".dcm"));
  }
}

function bash(script: string, cwd: string, bin: string): Promise<{ code: number | null; output: string }> {
  const child = spawn("bash", ["-c", script], { cwd, env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

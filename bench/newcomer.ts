/**
 * A newcomer's path, timed: in an empty folder the package is installed and sixty DICOM films, forty to train on and twenty
 * to test with, go from a table of questions to a report. Prints each command with its seconds.
 * usage: npm run build && npm pack --pack-destination /tmp && npx tsx bench/newcomer.ts /tmp/viva-rl-*.tgz
 */
import { execSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { loadDataset } from "../src/data/index.ts";
import { writeDicom } from "../test/cli/dicom-writer.ts";

const [given] = process.argv.slice(2);
if (given === undefined) throw new Error("usage: npx tsx bench/newcomer.ts PACKAGE.tgz");
const packed = resolve(given);
const folder = mkdtempSync(join(tmpdir(), "viva-newcomer-"));
await writeFilms("train", 40);
await writeFilms("test", 20);

const asked = "--data jsonl --path my-data --max-completion-length 32";
const steps: readonly (readonly [what: string, commands: readonly string[]])[] = [
  ["install", ["npm init --yes", `npm install ${packed}`]],
  [
    "import",
    ["train", "test"].map((split) => `npx viva data import ${split}.csv my-data --images films --split ${split}`),
  ],
  ["init", ["npx viva init recipe.yaml --data my-data"]],
  ["check", ["npx viva check recipe.yaml --sample 2"]],
  ["train", ["npx viva train recipe.yaml --run runs/mine"]],
  [
    "eval",
    [
      `npx viva eval viva-tiny-instruct ${asked} --prompt answer_only --out before.jsonl`,
      `npx viva eval runs/mine ${asked} --out after.jsonl`,
      "npx viva compare before.jsonl after.jsonl",
    ],
  ],
  ["report", ["npx viva report runs/mine --out report.html"]],
];
try {
  let total = 0;
  for (const [what, commands] of steps) {
    const started = performance.now();
    const said = commands.map((command) =>
      execSync(command, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    );
    const seconds = (performance.now() - started) / 1000;
    total += seconds;
    console.log(
      `${what.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s   ${commands.join("; ").replaceAll(packed, given)}`,
    );
    if (what === "eval") console.log(said.at(-1)!.trim().replace(/^/gm, "         "));
  }
  console.log(`in all   ${total.toFixed(1).padStart(6)} s`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Films of the phantom world as DICOM, one question each, and their table. */
async function writeFilms(split: "train" | "test", limit: number): Promise<void> {
  mkdirSync(join(folder, "films"), { recursive: true });
  const own = { image_size: 112, modality: "x-ray", difficulty: 0 };
  const examples = await loadDataset({ name: "phantom_world", split, limit, seed: 3, own });
  const rows = examples.map(({ question, answer, choices, images }, i) => {
    const { width, height, channels, data } = images[0]!.pixels!;
    const name = `${split}-${i}.dcm`;
    const grey = Uint8Array.from({ length: width * height }, (_, at) => data[at * channels]!);
    writeDicom(join(folder, "films", name), { width, height, grey, patient: `${split}${i}` });
    return [name, question, answer, ...(choices.length === 0 ? ["", "", "", ""] : choices)];
  });
  const header = ["image", "question", "answer", "A", "B", "C", "D"];
  const quoted = [header, ...rows].map((row) => row.map((field) => `"${field.replaceAll('"', '""')}"`).join(","));
  writeFileSync(join(folder, `${split}.csv`), `${quoted.join("\n")}\n`);
}

/**
 * The full report of a checkpoint on a data set as a Markdown page: accuracy next to all baselines, then all probes.
 * usage: npm run build && npx tsx bench/report-evaluation.ts CHECKPOINT --data NAME [--path FOLDER] --title TITLE --out FILE.md
 *          [--about TEXT] [--work FOLDER] [--untuned CHECKPOINT] [--split NAME] [--limit N] [--seed N] [--image-disjoint]
 *          [--conventional LIST] [--scale SIZES] [--scale-draws N] [--tower-neighbour] [--no-probes]
 *          [--prompt STYLE] [--step N] [--max-completion-length N] [--protocol NAME …] [--encoder FOLDER]
 * The results themselves stay in the work folder (default runs/reports/<page>), from which an interrupted evaluation resumes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { probesSchema, resultsSchema } from "../src/evaluate/index.ts";
import { evaluationPage } from "./evaluation-page.ts";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const text = { type: "string" } as const;
const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ data: text, path: text, split: text, limit: text, seed: text, prompt: text, step: text },
    "max-completion-length": text,
    ...{
      "image-disjoint": { type: "boolean" },
      "tower-neighbour": { type: "boolean" },
      "no-probes": { type: "boolean" },
    },
    ...{ conventional: text, scale: text, "scale-draws": text },
    protocol: { ...text, multiple: true, default: ["viva"] },
    ...{ untuned: text, encoder: text, title: text, about: { ...text, default: "" }, out: text, work: text },
  },
});
const [checkpoint] = positionals;
if (checkpoint === undefined || o.data === undefined || o.title === undefined || o.out === undefined) {
  throw new Error("usage: report-evaluation.ts CHECKPOINT --data NAME [--path FOLDER] --title TITLE --out FILE.md");
}
const work = o.work ?? join("runs/reports", basename(o.out, ".md"));
mkdirSync(work, { recursive: true });

/** Options that select the questions and the prompt, for both commands. */
const given = (...names: readonly (keyof typeof o)[]) =>
  names.flatMap((name) => (o[name] === undefined ? [] : [`--${name}`, String(o[name])]));
const asked = given("data", "path", "split", "limit", "seed", "prompt", "step", "max-completion-length");
if (o["image-disjoint"]) asked.push("--image-disjoint");

const results = join(work, "results.json");
const probes = join(work, "probes.json");
const evaluation = [
  ...["eval", checkpoint, ...asked, ...o.protocol.flatMap((name) => ["--protocol", name])],
  ...["--baseline", "blank_image,wrong_image", ...(o.untuned === undefined ? [] : ["--baseline-model", o.untuned])],
  ...given("conventional", "scale", "scale-draws"),
  ...(o["tower-neighbour"] ? ["--tower-neighbour"] : []),
  ...["--out", join(work, "items.jsonl"), "--results", results],
];
const probing = [
  ...["probe", checkpoint, ...asked, "--protocol", o.protocol[0]!, ...given("untuned", "encoder")],
  ...["--out", probes, "--samples", join(work, "probes.jsonl")],
];
const commands = o["no-probes"] ? [evaluation] : [evaluation, probing];
for (const args of commands) execFileSync(process.execPath, [main, ...args], { stdio: "inherit" });

const page = evaluationPage(
  resultsSchema.parse(JSON.parse(readFileSync(results, "utf8"))),
  o["no-probes"] ? null : probesSchema.parse(JSON.parse(readFileSync(probes, "utf8"))),
  {
    title: o.title,
    about: o.about,
    commands: commands.map((args) => `viva ${args.map(quoted).join(" ")}`),
  },
);
mkdirSync(dirname(o.out), { recursive: true });
writeFileSync(o.out, page);
console.log(`page: ${o.out}`);

function quoted(argument: string): string {
  return /^[\w./:,@=-]+$/.test(argument) ? argument : `'${argument}'`;
}

/**
 * Time and memory of a GRPO step by group size, prompt, completion and model: one table, one process per row.
 * usage: npm run build && npx tsx bench/curves.ts ROWS.jsonl CHECKPOINT... (as written by bench/trl_step.py)
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { StepBench } from "../src/diagnostics/step-bench.ts";

interface Setting {
  readonly what: string;
  readonly generations: number;
  readonly completion: number;
  /** How often the question is repeated. */
  readonly question: number;
}

const usual: Setting = { what: "usual", generations: 8, completion: 64, question: 1 };
const settings: readonly Setting[] = [
  ...[2, 4, 8, 16, 32].map((generations) => ({ ...usual, what: "group size", generations })),
  ...[4, 16].map((question) => ({ ...usual, what: "prompt", question })),
  ...[16, 128, 256].map((completion) => ({ ...usual, what: "completion", completion })),
];

const command = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const [rows, ...checkpoints] = process.argv.slice(2);
if (rows === undefined || checkpoints.length === 0) throw new Error("usage: bench/curves.ts ROWS.jsonl CHECKPOINT...");
const scratch = mkdtempSync(join(tmpdir(), "viva-curves-"));
try {
  console.log(
    "| parameters | varied | group | question x | completion | processor s | step s | sampling | training | peak GB |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|---|");
  for (const [i, checkpoint] of checkpoints.entries()) {
    for (const setting of i === 0 ? settings : [usual]) console.log(line(setting, time(checkpoint, setting)));
  }
} finally {
  rmSync(scratch, { recursive: true });
}

function time(checkpoint: string, { generations, completion, question }: Setting): StepBench {
  const file = join(scratch, "rows.jsonl");
  const longer = readFileSync(rows!, "utf8")
    .trim()
    .split("\n")
    .map((row) => {
      const { image, ...rest } = JSON.parse(row) as { image: string; question: string };
      const words = Array.from({ length: question }, () => rest.question).join(" ");
      return JSON.stringify({ ...rest, question: words, image: resolve(dirname(rows!), image) });
    });
  writeFileSync(file, longer.join("\n"));
  const sizes = ["--num-generations", String(generations), "--max-completion-length", String(completion)];
  const told = execFileSync(process.execPath, [
    "--single-threaded-gc", // as the viva command does
    ...[command, "bench", "step", checkpoint, "--rows", file, "--steps", "3", ...sizes],
  ]);
  return JSON.parse(told.toString()) as StepBench;
}

function line({ what, generations, completion, question }: Setting, found: StepBench): string {
  // The first step compiles the programs.
  const best = (seconds: readonly number[]) => Math.min(...seconds.slice(1)).toFixed(2);
  const million = `${(found.parameters / 1e6).toFixed(1)} M`;
  const times = [found.cpu_seconds, found.step_seconds, found.sample_seconds, found.train_seconds].map(best);
  return `| ${[million, what, generations, question, completion, ...times, found.max_rss_gb.toFixed(2)].join(" | ")} |`;
}

/**
 * Trains the models that ship: assets/viva-tiny-base, and from it assets/viva-tiny-instruct. About 25 minutes on two cores.
 * usage: npm run build && npx tsx scripts/train-base-models.ts [--runs runs/base-models]
 * A run that is there is gone on with; beside the weights stands training.csv, the log of their training.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeFileAtomic } from "../src/io/files.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: o } = parseArgs({ options: { runs: { type: "string", default: "runs/base-models" } } });

for (const name of ["viva-tiny-base", "viva-tiny-instruct"]) {
  const run = join(o.runs, name);
  const recipe = join(root, "recipes/base-models", `${name}.yaml`);
  if (existsSync(join(run, "recipe.yaml"))) viva("train", "--run", run, "--resume");
  else viva("train", recipe, "--run", run);
  const out = join(root, "assets", name);
  viva("export", run, "--out", out, "--dtype", "bfloat16", "--overwrite");
  writeFileAtomic(join(out, "training.csv"), trainingLog(readFileSync(join(run, "metrics.jsonl"), "utf8")));
}

function viva(...args: readonly string[]): void {
  execFileSync(process.execPath, [join(root, "dist/cli/main.js"), ...args], { stdio: "inherit" });
}

/** Every 25th step: its loss, gradient norm and learning rate. */
function trainingLog(metrics: string): string {
  const steps = metrics
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Readonly<Record<string, number>>);
  const keys = ["step", "loss", "optim/grad_norm", "optim/learning_rate"] as const;
  const kept = steps.filter(({ step }) => step === 1 || step! % 25 === 0);
  const rows = kept.map((step) => keys.map((key) => Number(step[key]!.toPrecision(4))).join(","));
  return [keys.join(","), ...rows, ""].join("\n");
}

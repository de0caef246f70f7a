/**
 * Trains the models in assets/: viva-tiny-base, and from it, via viva-tiny-taught, viva-tiny-instruct (half an hour on two
 * cores); with `deep`, from viva-tiny-base those of the deep world: viva-deep-taught, viva-deep-instruct.
 * usage: npm run build && npx tsx scripts/train-base-models.ts [deep]
 * Runs are in runs/base-models; existing ones are resumed; the training log is written next to the recipe.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeFileAtomic } from "../src/io/files.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const sets = {
  base: [
    { name: "viva-tiny-base", ships: true },
    { name: "viva-tiny-taught", ships: false },
    { name: "viva-tiny-instruct", ships: true },
  ],
  deep: [
    { name: "viva-deep-taught", ships: false },
    { name: "viva-deep-instruct", ships: true },
  ],
};
const set = process.argv[2] === "deep" ? "deep" : "base";
for (const { name, ships } of sets[set]) {
  const run = join(root, "runs/base-models", name);
  const recipe = join(root, `recipes/${set}-models`, `${name}.yaml`);
  if (existsSync(join(run, "recipe.yaml"))) viva("train", "--run", run, "--resume");
  else viva("train", recipe, "--run", run);
  const out = join(root, "assets", name);
  if (ships) viva("export", run, "--out", out, "--dtype", "bfloat16", "--overwrite");
  writeFileAtomic(recipe.replace(/yaml$/, "csv"), trainingLog(readFileSync(join(run, "metrics.jsonl"), "utf8")));
}

function viva(...args: readonly string[]): void {
  execFileSync(process.execPath, ["--single-threaded-gc", join(root, "dist/cli/main.js"), ...args], {
    stdio: "inherit",
  });
}

/** Loss, gradient norm and learning rate of every 25th step. */
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

/** Begins a run where another ended: the new folder holds the other's record and checkpoints, ready to be resumed. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { RunError } from "../core/errors.ts";
import { resolvedYaml } from "../recipes/load.ts";
import type { Recipe } from "../recipes/schema.ts";
import { findCheckpoint, listCheckpoints } from "../runs/checkpoints.ts";
import { replaceFile } from "../runs/durable.ts";
import { type RunPaths, runPaths, stepName } from "../runs/run-folder.ts";

/**
 * Makes `folder` a run of `recipe` that has completed all the stages of the finished run in `parent`; atomic.
 * Checkpoint files are written once and never changed, so they are hard-linked where possible.
 */
export async function branchRun(parent: string, folder: string, recipe: Recipe): Promise<void> {
  const from = runPaths(parent);
  const { checkpoint } = await findCheckpoint(from);
  if (checkpoint === null) throw new RunError(`${parent}: has no complete checkpoint to resume from`);
  const draft = `${folder}.tmp`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  const to = runPaths(draft);
  for (const stream of ["metrics", "rollouts", "evals", "events", "environment"] as const) {
    if (existsSync(from[stream])) copyFileSync(from[stream], to[stream]);
  }
  if (existsSync(from.sidecars)) cpSync(from.sidecars, to.sidecars, { recursive: true });
  for (const step of await listCheckpoints(from)) {
    if (step <= checkpoint.step)
      linkFolder(join(from.checkpoints, stepName(step)), join(to.checkpoints, stepName(step)));
  }
  replaceFile(to.recipe, notesOf(from) + resolvedYaml(recipe));
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
}

/** The comment lines at the top, with the parent's content hashes of model and data. */
function notesOf({ recipe }: RunPaths): string {
  const lines = readFileSync(recipe, "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("#"));
  return lines
    .slice(0, end)
    .map((line) => `${line}\n`)
    .join("");
}

function linkFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkFolder(source, target);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target); // across file systems, or without hard links
  }
}

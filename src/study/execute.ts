/**
 * Executes planned runs, one or several at a time: a failed run is recorded, runs that depend on it are skipped, the
 * rest continues.
 */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { resolvedYaml } from "../recipes/load.ts";
import type { Recipe } from "../recipes/schema.ts";
import { findCheckpoint } from "../runs/checkpoints.ts";
import { replaceFile } from "../runs/durable.ts";
import { openJsonl } from "../runs/jsonl.ts";
import { isFinished, isRun, runPaths } from "../runs/run-folder.ts";
import { branchRun } from "./branch.ts";
import type { JournalLine, StudyPaths } from "./folder.ts";
import type { PlannedRun } from "./plan.ts";

/**
 * Trains in a folder, in a separate process: a new run of the recipe file, or, with null, resuming the existing one.
 */
export type TrainRun = (folder: string, recipeFile: string | null) => Promise<RunOutcome>;

export type RunOutcome =
  | { readonly ok: true }
  /** `killed`: by a signal, so that the same may well go on if it is started again. */
  | { readonly ok: false; readonly message: string; readonly killed?: boolean };

export interface ExecuteOptions {
  readonly train: TrainRun;
  /** Number of concurrent runs. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Called after a run ended or failed; `message` says why it failed. */
  readonly onEnd: (run: PlannedRun, seconds: number, message: string | null) => void;
}

/**
 * Runs everything unfinished, `jobs` at a time, each after its dependencies. Throws the signal's reason when asked to
 * stop, once the active runs have stopped.
 */
export async function executeRuns(runs: readonly PlannedRun[], paths: StudyPaths, o: ExecuteOptions): Promise<void> {
  const journal = openJsonl(paths.journal);
  const note = (line: JournalLine) => journal.append(line);
  const execute = async (run: PlannedRun) => {
    if (o.signal.aborted || isFinished(join(paths.folder, run.folder))) return;
    note({ event: "run_start", run: run.folder, time: new Date().toISOString() });
    const started = performance.now();
    const outcome = await trainPlanned(run, paths, o.train);
    const seconds = (performance.now() - started) / 1000;
    if (outcome.ok) note({ event: "run_end", run: run.folder, seconds });
    else if (o.signal.aborted) return note({ event: "run_stopped", run: run.folder, seconds });
    else note({ event: "run_failed", run: run.folder, seconds, message: outcome.message });
    o.onEnd(run, seconds, outcome.ok ? null : outcome.message);
  };
  const ended = new Map<string, Promise<void>>();
  const jobs = Array.from({ length: o.jobs }, () => Promise.resolve());
  try {
    for (const run of runs) {
      const free = await Promise.race(jobs.map((job, i) => job.then(() => i)));
      const needed = [run.parent, run.weights].map((folder) => (folder === null ? undefined : ended.get(folder)));
      jobs[free] = Promise.all(needed).then(() => execute(run));
      ended.set(run.folder, jobs[free]);
    }
  } finally {
    await Promise.allSettled(jobs);
    journal.close();
  }
  await Promise.all(jobs);
  o.signal.throwIfAborted();
}

async function trainPlanned(run: PlannedRun, paths: StudyPaths, train: TrainRun): Promise<RunOutcome> {
  const at = (folder: string) => join(paths.folder, folder);
  const missing = [run.parent, run.weights].find((needed) => needed !== null && !isFinished(at(needed)));
  if (missing !== undefined) return { ok: false, message: `needs ${missing}, which is not finished` };
  try {
    const folder = at(run.folder);
    if (isRun(folder)) return await train(folder, null);
    const recipe = run.weights === null ? run.recipe : await startingFrom(run.recipe, at(run.weights));
    mkdirSync(dirname(folder), { recursive: true });
    if (run.parent !== null) {
      await branchRun(at(run.parent), folder, recipe);
      return await train(folder, null);
    }
    const file = join(paths.recipes, `${run.folder.replace("/", "-")}.yaml`);
    replaceFile(file, resolvedYaml(recipe));
    return await train(folder, file);
  } catch (error) {
    return { ok: false, message: messageOf(error) };
  }
}

/** The recipe with the last weights of a finished run as its model. */
async function startingFrom(recipe: Recipe, folder: string): Promise<Recipe> {
  const { checkpoint } = await findCheckpoint(runPaths(folder));
  if (checkpoint === null) throw new Error(`${folder}: has no complete checkpoint to start from`);
  return { ...recipe, model: { ...recipe.model, path: checkpoint.folder, init: "pretrained" } };
}

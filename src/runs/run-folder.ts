/**
 * A run is a folder of plain files with one writer. Everything of a step is appended before the step's checkpoint is
 * written, so a resumed run drops what came after its checkpoint and continues as if it had never stopped.
 */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { whileWriting } from "../core/system-errors.ts";
import { replaceFile } from "./durable.ts";
import type { Environment } from "./environment.ts";
import { type JsonlStream, openJsonl, readJsonl } from "./jsonl.ts";
import { acquireLock, isLocked } from "./lock.ts";

/** Where the files of a run are; readers of a run need only this. */
export interface RunPaths {
  readonly folder: string;
  readonly recipe: string;
  readonly environment: string;
  readonly metrics: string;
  readonly rollouts: string;
  readonly evals: string;
  readonly events: string;
  readonly checkpoints: string;
  /** Folder of the token ids and log-probs of each step's rollouts (see `sidecarPath`). */
  readonly sidecars: string;
  readonly report: string;
}

/** The files of rows that make up a run's record, by their names in `RunPaths`. */
export const streamNames = ["metrics", "rollouts", "evals", "events"] as const;

/** How many rows each has. */
export type RecordRows = Readonly<Record<(typeof streamNames)[number], number>>;

/** A run open for writing; it holds the folder's lock until closed. */
export interface Run {
  readonly paths: RunPaths;
  readonly metrics: JsonlStream;
  readonly rollouts: JsonlStream;
  readonly evals: JsonlStream;
  readonly events: JsonlStream;
  /** Flushes the streams to disk. */
  sync(): void;
  close(): void;
}

const lockName = ".lock";
/** Of the runs in a folder that is none itself, so many are named. */
const MOST_NAMED = 4;
/** What a kill may leave of a run that has no recipe yet. */
const unborn: readonly string[] = ["environment.json.tmp", "environment.json", "recipe.yaml.tmp"];

/** The folder a run gets when none is named: runs/slake-grpo-20250714T101530Z. */
export function defaultRunFolder(recipeName: string, now = new Date()): string {
  return join("runs", `${recipeName}-${now.toISOString().replace(/[-:]|\.\d+/g, "")}`);
}

/** The file names of a run; the folder need not exist. */
export function runPaths(folder: string): RunPaths {
  return {
    folder,
    recipe: join(folder, "recipe.yaml"),
    environment: join(folder, "environment.json"),
    metrics: join(folder, "metrics.jsonl"),
    rollouts: join(folder, "rollouts.jsonl"),
    evals: join(folder, "evals.jsonl"),
    events: join(folder, "events.jsonl"),
    checkpoints: join(folder, "checkpoints"),
    sidecars: join(folder, "rollouts"),
    report: join(folder, "report.html"),
  };
}

/** Whether the folder holds a run. */
export function isRun(folder: string): boolean {
  return existsSync(runPaths(folder).recipe);
}

/** UserError where the folder, called `named` by the user, is no run; it names the runs that lie in it. */
export function requireRun(folder: string, named = folder): void {
  if (isRun(folder)) return;
  const inside = [...runsIn(folder, named), ...runsIn(join(folder, "runs"), join(named, "runs"))];
  const shown = `${inside.slice(0, MOST_NAMED).join(", ")}${inside.length > MOST_NAMED ? ", …" : ""}`;
  const advice = inside.length === 0 ? "" : `: its runs are ${shown}`;
  throw new UserError(`${named}: no run here (there is no recipe.yaml in it)${advice}`);
}

function runsIn(folder: string, named: string): readonly string[] {
  const names = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder).sort() : [];
  return names.filter((name) => isRun(join(folder, name))).map((name) => join(named, name));
}

/** Whether a run exists and has ended. */
export function isFinished(folder: string): boolean {
  if (!isRun(folder)) return false;
  const { events } = runPaths(folder);
  return existsSync(events) && readJsonl(events).at(-1)?.["event"] === "run_end";
}

/** Whether a process that lives, or may live, writes the run. */
export function isWritten(folder: string): boolean {
  return isLocked(join(folder, lockName));
}

/** How many rows an open run has by now. */
export function recordRows(run: Run): RecordRows {
  const entries = streamNames.map((name) => [name, run[name].rows()]);
  return Object.fromEntries(entries) as RecordRows;
}

/** File for the token ids and log-probs of one step's rollouts. */
export function sidecarPath(paths: RunPaths, step: number): string {
  return join(paths.sidecars, `${stepName(step)}.jsonl`);
}

/** "step-000120": the name of a step's checkpoint and sidecar, in an order that sorts. */
export function stepName(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

/** The step of a name made by `stepName`, with or without an ending; null for any other name. */
export function stepOfName(name: string): number | null {
  const digits = /^step-(\d{6,})(\.|$)/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Makes and opens a new run; a folder with anything in it is refused with a UserError. */
export function createRun(
  folder: string,
  content: { readonly recipeYaml: string; readonly environment: Environment },
): Run {
  refuseContent(folder);
  whileWriting(folder, () => makeFolder(folder));
  const lock = acquireLock(join(folder, lockName));
  try {
    refuseContent(folder);
    const paths = runPaths(folder);
    replaceFile(paths.environment, JSON.stringify(content.environment, null, 2) + "\n");
    replaceFile(paths.recipe, content.recipeYaml); // last: it makes the folder a run
    return openStreams(paths, lock.release);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Opens an existing run for writing, to resume it; a UserError when there is none or another process writes it. */
export function openRun(folder: string): Run {
  requireRun(folder);
  const lock = acquireLock(join(folder, lockName));
  try {
    return openStreams(runPaths(folder), lock.release);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Takes a run back to the moment its checkpoint of `step` was written: drops later rows of all streams and later
 * sidecars; returns how many rows went. Step 0 is the state before the first step, evaluated perhaps; -1 drops every
 * row. A row belongs to the step in its `step`, else in its `id` ("step/group"), else in its `checkpoint`
 * ("step-000120"); a row without any belongs to step 0.
 */
export function rewindRun(run: Run, step: number): number {
  const keep = (record: Record<string, unknown>) => recordStep(record) <= step;
  for (const name of readdirSync(run.paths.sidecars)) {
    if ((stepOfName(name) ?? 0) > step) rmSync(join(run.paths.sidecars, name));
  }
  return streamNames.reduce((n, name) => n + run[name].truncate(keep), 0);
}

/** The step that a row belongs to, see `rewindRun`. */
export function recordStep({ step, id, checkpoint }: Record<string, unknown>): number {
  if (typeof step === "number") return step;
  if (typeof id === "string" && /^\d+\//.test(id)) return Number.parseInt(id, 10);
  return (typeof checkpoint === "string" ? stepOfName(checkpoint) : null) ?? 0;
}

function openStreams(paths: RunPaths, release: () => void): Run {
  for (const path of [paths.checkpoints, paths.sidecars]) whileWriting(path, () => makeFolder(path));
  const metrics = openJsonl(paths.metrics);
  const rollouts = openJsonl(paths.rollouts);
  const evals = openJsonl(paths.evals);
  const events = openJsonl(paths.events);
  const streams = [metrics, rollouts, evals, events];
  return {
    paths,
    metrics,
    rollouts,
    evals,
    events,
    sync: () => streams.forEach((stream) => void stream.sync()),
    close() {
      try {
        for (const stream of streams) stream.close();
      } finally {
        release();
      }
    },
  };
}

function refuseContent(folder: string): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new UserError(`${folder}: there is a file where the run folder should be`);
  if (readdirSync(folder).every((name) => name.startsWith(lockName) || unborn.includes(name))) return;
  throw new UserError(
    `${folder}: the folder is not empty; continue that run with --resume, or name another with --run`,
  );
}

/** A run goes on with its whole record: reports, comparisons and audits count the rows, so that none may have been lost. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, relative } from "node:path";
import { UserError } from "../core/errors.ts";
import { isSystemError, reasonOf } from "../core/system-errors.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { type RecordRows, type Run, type RunPaths, recordStep, sidecarPath, streamNames } from "../runs/run-folder.ts";

/** A checkpoint, and how many rows there were when it was written; undefined where an earlier version wrote it. */
interface Recorded {
  readonly step: number;
  readonly folder: string;
  readonly rows: RecordRows | undefined;
}

/** Throws UserError with all that is missing of the record up to the checkpoint, null for a run that has none yet. */
export function requireWholeRecord({ paths }: Run, checkpoint: Recorded | null): void {
  const lost = [...lostEnvironment(paths), ...(checkpoint === null ? [] : lostRows(paths, checkpoint))];
  if (lost.length === 0) return;
  const named = lost.length > 4 ? [...lost.slice(0, 3), `${lost.length - 3} more`] : lost;
  const folder = checkpoint === null ? "" : ` from its weights (model.path: ${checkpoint.folder})`;
  throw new UserError(
    `${paths.folder}: the run's record has a hole: ${named.join("; ")}. Bring back what was there, or start a new run${folder}`,
  );
}

function lostEnvironment({ environment }: RunPaths): string[] {
  try {
    JSON.parse(readFileSync(environment, "utf8"));
    return [];
  } catch (error) {
    return [`${basename(environment)}: ${isSystemError(error) ? reasonOf(error) : "it is cut short or damaged"}`];
  }
}

function lostRows(paths: RunPaths, { step, rows }: Recorded): string[] {
  const sampled = new Set<number>();
  const lost = streamNames.flatMap((name) => {
    const steps: number[] = [];
    for (const row of scanJsonl(paths[name])) if (recordStep(row) <= step) steps.push(recordStep(row));
    if (name === "rollouts") for (const of of steps) sampled.add(of);
    if (rows === undefined || steps.length >= rows[name]) return [];
    return [`${basename(paths[name])} has ${steps.length} rows up to step ${step} in place of ${rows[name]}`];
  });
  const broken = [...sampled].map((of) => sidecarPath(paths, of)).filter((path) => !endsWhole(path));
  return [...lost, ...broken.map((path) => `${relative(paths.folder, path)} is missing or cut short`)];
}

/** Whether the file is there and its last row has its newline. */
function endsWhole(path: string): boolean {
  if (!existsSync(path)) return false;
  const fd = openSync(path, "r");
  try {
    const last = Buffer.alloc(1);
    readSync(fd, last, 0, 1, Math.max(0, fstatSync(fd).size - 1));
    return last[0] === 10;
  } finally {
    closeSync(fd);
  }
}

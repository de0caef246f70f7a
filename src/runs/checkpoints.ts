/**
 * Checkpoint folders: written beside and renamed, with the size and SHA-256 of every file, so that a folder named
 * "step-000120" is whole unless something damaged it later, and that is noticed.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { messageOf, RunError } from "../core/errors.ts";
import { asFileError, isSystemError, reasonOf } from "../core/system-errors.ts";
import { flush, flushFolder } from "./durable.ts";
import type { JsonValue } from "./jsonl.ts";
import { type Run, type RunPaths, stepName, stepOfName } from "./run-folder.ts";

/** A complete checkpoint. */
export interface Checkpoint {
  readonly step: number;
  readonly folder: string;
  /** What the writer gave as state: counters, position in the data… */
  readonly state: JsonValue;
}

/** A checkpoint that cannot be used, and why. */
export interface DamagedCheckpoint {
  readonly step: number;
  readonly folder: string;
  readonly reason: string;
}

interface Checksums {
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
}

const stateName = "state.json";
const checksumsName = "checksums.json";
const unfinished = ".tmp-";

/**
 * Writes the checkpoint of a step: `write` puts its files (weights, optimiser) into the folder it is given. The run's
 * streams are flushed first, so that a checkpoint on disk implies the rows up to its step. Returns the final folder.
 */
export async function writeCheckpoint(
  run: Run,
  step: number,
  write: (folder: string) => Promise<void>,
  state: JsonValue,
): Promise<string> {
  run.sync();
  const final = join(run.paths.checkpoints, stepName(step));
  const draft = join(run.paths.checkpoints, `${unfinished}${stepName(step)}`);
  try {
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { recursive: true });
    await write(draft);
    await writeFile(join(draft, stateName), JSON.stringify(state, null, 2) + "\n", { flag: "wx" });
    const files: Record<string, { size: number; sha256: string }> = {};
    for (const file of await filesBelow(draft)) {
      flush(join(draft, file));
      files[file] = { size: (await stat(join(draft, file))).size, sha256: await sha256(join(draft, file)) };
    }
    await writeFile(join(draft, checksumsName), JSON.stringify({ files } satisfies Checksums, null, 2) + "\n");
    flush(join(draft, checksumsName));
    flushFolder(draft);
    const former = await setAside(final);
    await rename(draft, final);
    flushFolder(run.paths.checkpoints);
    if (former !== null) await rm(former, { recursive: true, force: true });
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    const reason = isSystemError(error) && error.path === undefined ? reasonOf(error) : messageOf(asFileError(error));
    throw new RunError(`${final}: the checkpoint could not be written: ${reason}`, { cause: error });
  }
  return final;
}

/** Newest whole checkpoint of a run opened for resuming; removes what half-written ones left. */
export async function latestCheckpoint(run: Run): ReturnType<typeof findCheckpoint> {
  for (const name of await readdir(run.paths.checkpoints)) {
    if (name.startsWith(unfinished)) await rm(join(run.paths.checkpoints, name), { recursive: true, force: true });
  }
  return findCheckpoint(run.paths);
}

/**
 * Newest whole checkpoint (null when there is none) and the newer ones skipped as damaged. Changes nothing, so it
 * is safe beside a running training.
 */
export async function findCheckpoint(
  paths: RunPaths,
): Promise<{ readonly checkpoint: Checkpoint | null; readonly damaged: readonly DamagedCheckpoint[] }> {
  const damaged: DamagedCheckpoint[] = [];
  for (const step of (await listCheckpoints(paths)).toReversed()) {
    const folder = join(paths.checkpoints, stepName(step));
    const reason = await damageOf(folder);
    if (reason !== null) {
      damaged.push({ step, folder, reason });
      continue;
    }
    const state = JSON.parse(await readFile(join(folder, stateName), "utf8")) as JsonValue;
    return { checkpoint: { step, folder, state }, damaged };
  }
  return { checkpoint: null, damaged };
}

/** Steps that have a checkpoint, ascending; their content is not verified. */
export async function listCheckpoints(paths: RunPaths): Promise<readonly number[]> {
  const names = await readdir(paths.checkpoints).catch(() => []);
  return names
    .filter((name) => name === stepName(stepOfName(name) ?? -1))
    .map((name) => stepOfName(name)!)
    .sort((a, b) => a - b);
}

/** Why a checkpoint folder is not whole, or null when every file has its recorded size and checksum. */
export async function damageOf(folder: string): Promise<string | null> {
  try {
    const { files } = JSON.parse(await readFile(join(folder, checksumsName), "utf8")) as Checksums;
    if (files[stateName] === undefined) return `${checksumsName} does not name ${stateName}`;
    for (const [name, expected] of Object.entries(files)) {
      const { size } = await stat(join(folder, name));
      if (size !== expected.size) return `${name} has ${size} bytes in place of ${expected.size}`;
    }
    for (const [name, expected] of Object.entries(files)) {
      if ((await sha256(join(folder, name))) !== expected.sha256) return `${name} does not match its checksum`;
    }
    return null;
  } catch (error) {
    if (!isSystemError(error)) return messageOf(error);
    return `${basename(error.path ?? folder)}: ${reasonOf(error)}`;
  }
}

/** Deletes the checkpoints up to `step` that `kept` leaves out, given the steps that have one, ascending; returns theirs. */
export async function pruneCheckpoints(
  run: Run,
  step: number,
  kept: (steps: readonly number[]) => readonly number[],
): Promise<readonly number[]> {
  const steps = (await listCheckpoints(run.paths)).filter((other) => other <= step);
  const stay = kept(steps);
  const surplus = steps.filter((other) => !stay.includes(other));
  for (const other of surplus) {
    const aside = await setAside(join(run.paths.checkpoints, stepName(other)));
    if (aside !== null) await rm(aside, { recursive: true, force: true });
  }
  return surplus;
}

/** Takes a checkpoint's name away, so that a kill while it is deleted leaves no half of one; null when there is none. */
async function setAside(folder: string): Promise<string | null> {
  const aside = join(dirname(folder), `${unfinished}removed-${process.hrtime.bigint()}`);
  try {
    await rename(folder, aside);
    return aside;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Files of a folder and its subfolders, as sorted relative paths with forward slashes. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

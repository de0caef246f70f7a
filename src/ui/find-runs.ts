/** The runs and studies below the folders that a page was opened for; symbolic links are not followed. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { UserError } from "../core/errors.ts";
import { isRun } from "../runs/run-folder.ts";

/** A folder that holds a run or a study. */
export interface FoundFolder {
  /** Of the folder's name and path: the same at every start. */
  readonly id: string;
  readonly folder: string;
  /** From its root, with forward slashes. */
  readonly path: string;
  /** Of the study it is part of. */
  readonly study: string | null;
}

export interface Found {
  readonly runs: readonly FoundFolder[];
  readonly studies: readonly FoundFolder[];
  /** What was not looked at, in sentences. */
  readonly notices: readonly string[];
}

const DEEPEST = 5;
const MOST_FOLDERS = 20_000;
const passedOver = new Set(["checkpoints", "rollouts", "replies", "annotations", "node_modules"]);

/** The real paths of the folders; throws UserError for one that is not there. */
export function realRoots(roots: readonly string[]): readonly string[] {
  return roots.map((root) => {
    if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new UserError(`${root}: there is no such folder; name folders that hold runs`);
    }
    return realpathSync(root);
  });
}

export function findRuns(roots: readonly string[]): Found {
  const runs: FoundFolder[] = [];
  const studies: FoundFolder[] = [];
  const notices: string[] = [];
  const seen = new Set<string>();
  const visit = (folder: string, root: string, depth: number, study: string | null) => {
    if (seen.has(folder)) return;
    if (seen.size >= MOST_FOLDERS) {
      if (notices.length === 0) notices.push(`only the first ${MOST_FOLDERS} folders were looked through`);
      return;
    }
    seen.add(folder);
    const found = { id: idOf(folder), folder, path: pathFrom(root, folder), study };
    const has = (name: string) => existsSync(join(folder, name));
    // A folder of the user's own, with the recipe and the study that they wrote: the runs lie below it.
    const isOwn = depth === 0 && !has("events.jsonl") && !has("journal.jsonl");
    if (isRun(folder) && !isOwn) {
      runs.push(found);
      return;
    }
    const isStudy = has("study.json") || (has("study.yaml") && !isOwn);
    if (isStudy) studies.push(found);
    if (depth >= DEEPEST) return;
    for (const name of foldersIn(folder)) visit(join(folder, name), root, depth + 1, isStudy ? found.id : study);
  };
  for (const root of roots) visit(root, root, 0, null);
  return { runs, studies, notices };
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
    return folders.map(({ name }) => name).filter((name) => !passedOver.has(name));
  } catch {
    return []; // not ours to read
  }
}

function idOf(folder: string): string {
  const name = basename(folder)
    .replaceAll(/[^A-Za-z0-9_.]+/g, "-")
    .slice(0, 48);
  return `${name}-${createHash("sha256").update(folder).digest("hex").slice(0, 8)}`;
}

function pathFrom(root: string, folder: string): string {
  const below = relative(root, folder).split(sep).join("/");
  return below === "" ? basename(root) : below;
}

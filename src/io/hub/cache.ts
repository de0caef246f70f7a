/**
 * The cache folder of Python's huggingface_hub: contents in blobs/, one folder of links per commit in snapshots/, names of
 * branches in refs/. Nothing is written outside the repository's own folder, whatever links lie in the way.
 */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { UserError } from "../../core/errors.ts";
import { makeFolder } from "../../core/make-folder.ts";
import { fileError, writeFileAtomic } from "../files.ts";
import type { HubFile } from "./listing.ts";
import { isCommit, type Repository, repositoryFolder } from "./repository.ts";

/** Where a repository lies in the cache. */
export interface CachedRepository {
  readonly folder: string;
  readonly blobs: string;
  snapshot(commit: string): string;
}

export function cachedRepository(cache: string, repository: Repository): CachedRepository {
  const folder = repositoryFolder(cache, repository);
  return { folder, blobs: join(folder, "blobs"), snapshot: (commit) => join(folder, "snapshots", commit) };
}

/** The commit a branch or tag meant when it was last downloaded; null where that is unknown. */
export function readRef({ folder }: CachedRepository, revision: string): string | null {
  if (isCommit(revision)) return revision;
  const path = join(folder, "refs", revision);
  if (!existsSync(path) || !statSync(path).isFile()) return null;
  const commit = readFileSync(path, "utf8").trim();
  return isCommit(commit) ? commit : null;
}

export function writeRef(cached: CachedRepository, revision: string, commit: string): void {
  if (isCommit(revision) || readRef(cached, revision) === commit) return;
  const path = join(cached.folder, "refs", revision);
  makeFolderInside(join(cached.folder, "refs"), dirname(path));
  writeFileAtomic(path, commit);
}

/** Whether the file can be read through the snapshot, with the size it must have. */
export function isPlaced(cached: CachedRepository, commit: string, file: HubFile): boolean {
  const stat = statSync(join(cached.snapshot(commit), file.path), { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === file.size;
}

/** Whether the content is there already, perhaps of another commit or under another name. */
export function hasBlob(cached: CachedRepository, file: HubFile): boolean {
  const stat = statSync(join(cached.blobs, file.checksum), { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === file.size;
}

/** Makes snapshots/COMMIT/PATH a relative link to the blob; where links are refused, the file itself (as Python does). */
export function placeFile(cached: CachedRepository, commit: string, file: HubFile, isNew: boolean): void {
  const root = cached.snapshot(commit);
  const path = join(root, file.path);
  makeFolderInside(root, dirname(path));
  const blob = join(cached.blobs, file.checksum);
  try {
    rmSync(path, { force: true });
    try {
      symlinkSync(relative(realpathSync(dirname(path)), realpathSync(cached.blobs)) + sep + basename(blob), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
      if (isNew) renameSync(blob, path);
      else copyFileSync(blob, path);
    }
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Makes a folder below `root`; a link in between that leads elsewhere is a UserError. */
function makeFolderInside(root: string, folder: string): void {
  try {
    makeFolder(root);
    const real = realpathSync(root);
    let at = root;
    for (const part of relative(root, folder)
      .split(sep)
      .filter((name) => name !== "")) {
      at = join(at, part);
      if (!existsSync(at)) mkdirSync(at);
      if (!realpathSync(at).startsWith(real + sep)) throw new UserError(`${at} leads out of the cache: delete it`);
    }
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

function cannotWrite(path: string, error: unknown): unknown {
  return error instanceof UserError
    ? error
    : new UserError(fileError(path, "the Hub's cache", error).message, { cause: error });
}

/** The repository and commit that a snapshot folder belongs to; null for any other folder. */
export function snapshotOrigin(folder: string): { readonly name: string; readonly commit: string } | null {
  const [, org, name, commit] =
    /[\\/](?:models|datasets)--(.+?)--(.+?)[\\/]snapshots[\\/]([0-9a-f]{40})$/.exec(folder) ?? [];
  return org === undefined ? null : { name: `${org}/${name}`, commit: commit! };
}

/** A repository of the Hub as a folder: from the cache where it is whole, else downloaded; nothing is downloaded twice. */

import { statfsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, RunError, UserError } from "../../core/errors.ts";
import { makeFolder } from "../../core/make-folder.ts";
import { downloadBlob } from "./blob.ts";
import { type CachedRepository, cachedRepository, hasBlob, isPlaced, placeFile, readRef, writeRef } from "./cache.ts";
import { type Connection, type ConnectionOptions, connect } from "./connection.ts";
import { type HubFile, listRepository, resolveCommit } from "./listing.ts";
import type { DownloadPlan } from "./plan.ts";
import { describeRepository, type Repository } from "./repository.ts";
import type { HubSettings } from "./settings.ts";

export interface SnapshotOptions extends ConnectionOptions {
  /** Bytes of this download that are there, of all its bytes. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Snapshot {
  /** …/snapshots/COMMIT, with the files of the plan. */
  readonly folder: string;
  readonly commit: string;
}

/**
 * Opens what the repository's revision means now. Offline, or when the Hub cannot be reached, what it meant when it was
 * last downloaded. Throws UserError for what the user can change, RunError when the Hub cannot be reached.
 */
export async function openSnapshot(
  settings: HubSettings,
  repository: Repository,
  plan: DownloadPlan,
  o: SnapshotOptions = {},
): Promise<Snapshot> {
  const cached = cachedRepository(settings.cache, repository);
  if (settings.offline) return openOffline(settings, cached, repository, plan);
  const connection = connect(settings, repository, o);
  let commit: string;
  let files: readonly HubFile[];
  try {
    commit = await resolveCommit(connection);
    files = await listRepository(connection, commit);
  } catch (error) {
    const known = error instanceof RunError ? findCached(cached, repository, plan) : null;
    if (known === null) throw error;
    o.onNotice?.(`${messageOf(error)}; the copy in the cache is used (commit ${known.commit.slice(0, 8)})`);
    return known;
  }
  const folder = cached.snapshot(commit);
  try {
    for (const choose of plan.rounds) await download(connection, cached, commit, choose(files, folder), o);
  } catch (error) {
    const isUnnamed = error instanceof UserError && !error.message.includes(repository.name);
    throw isUnnamed ? new UserError(`${describeRepository(repository)}: ${error.message}`, { cause: error }) : error;
  }
  writeRef(cached, repository.revision, commit); // last, so that a branch never means a snapshot with gaps
  return { folder, commit };
}

async function download(
  connection: Connection,
  cached: CachedRepository,
  commit: string,
  files: readonly HubFile[],
  o: SnapshotOptions,
): Promise<void> {
  const open = files.filter((file) => !isPlaced(cached, commit, file));
  const absent = [...new Map(open.map((file) => [file.checksum, file])).values()].filter(
    (file) => !hasBlob(cached, file),
  );
  const total = absent.reduce((sum, { size }) => sum + size, 0);
  if (total > 0) requireSpace(cached, total);
  let done = 0;
  for (const file of absent) {
    const path = join(cached.blobs, file.checksum);
    await downloadBlob(connection, commit, file, path, (bytes) => o.onProgress?.(done + bytes, total));
    done += file.size;
  }
  const added = new Set(absent);
  for (const file of open) placeFile(cached, commit, file, added.has(file));
}

function openOffline(
  { cache }: HubSettings,
  cached: CachedRepository,
  repository: Repository,
  plan: DownloadPlan,
): Snapshot {
  const what = describeRepository(repository);
  const commit = readRef(cached, repository.revision);
  const lacks = commit === null ? null : plan.missing(cached.snapshot(commit));
  if (commit !== null && lacks === null) return { folder: cached.snapshot(commit), commit };
  const found =
    commit === null
      ? `is not in the cache (${cache})`
      : `is in the cache without ${lacks} (${cached.snapshot(commit)})`;
  throw new UserError(`${what} ${found}, and HF_HUB_OFFLINE forbids to download it: unset it, or copy the cache here`);
}

function findCached(cached: CachedRepository, { revision }: Repository, plan: DownloadPlan): Snapshot | null {
  const commit = readRef(cached, revision);
  if (commit === null || plan.missing(cached.snapshot(commit)) !== null) return null;
  return { folder: cached.snapshot(commit), commit };
}

function requireSpace({ blobs }: CachedRepository, bytes: number): void {
  try {
    makeFolder(blobs);
  } catch (error) {
    throw new UserError(
      `cannot write the Hub's cache ${blobs}: ${messageOf(error)}; HF_HUB_CACHE names another folder`,
    );
  }
  const { bavail, bsize } = statfsSync(blobs);
  if (bavail * bsize >= bytes) return;
  const gb = (n: number) => `${(n / 1e9).toFixed(1)} GB`;
  throw new UserError(
    `${blobs} has ${gb(bavail * bsize)} free, ${gb(bytes)} are needed: HF_HUB_CACHE names another folder`,
  );
}

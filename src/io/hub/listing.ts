/** What a repository holds: its commit and its files with sizes and checksums, checked before anything is believed. */
import { z } from "zod";
import { RunError, UserError } from "../../core/errors.ts";
import type { Connection } from "./connection.ts";
import { describeRepository, isCommit, isSafePath } from "./repository.ts";

/** A file of a commit. */
export interface HubFile {
  /** Relative, with "/", and safe to join to a folder. */
  readonly path: string;
  readonly size: number;
  /** Also the file's name among the blobs: the SHA-256 of an LFS file, the git blob SHA-1 of any other. */
  readonly checksum: string;
}

const MAX_FILES = 200_000;

const size = z.int().min(0);
const entrySchema = z.object({
  type: z.string(),
  path: z.string(),
  size: size.optional(),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string(), size }).nullish(),
});

/** The commit that the repository's revision means now; a commit needs no request. */
export async function resolveCommit(connection: Connection): Promise<string> {
  const { repository, settings, fetch } = connection;
  const { revision, name } = repository;
  if (isCommit(revision)) return revision;
  const { datasetInfo, modelInfo } = await import("@huggingface/hub"); // loaded by those who download, not by every command
  const question = { name, revision, hubUrl: settings.endpoint, fetch };
  const answer: Promise<object> =
    repository.type === "model"
      ? modelInfo({ ...question, additionalFields: ["sha"] })
      : datasetInfo({ ...question, additionalFields: ["sha"] });
  const { sha } = (await understood(connection, answer)) as { sha?: unknown };
  if (!isCommit(sha)) throw strange(connection, "it names no commit");
  return sha;
}

/** Every file of a commit. */
export async function listRepository(connection: Connection, commit: string): Promise<readonly HubFile[]> {
  const { repository, settings, fetch } = connection;
  const { listFiles } = await import("@huggingface/hub");
  const { type, name } = repository;
  const listed = listFiles({
    repo: { type, name },
    revision: commit,
    recursive: true,
    hubUrl: settings.endpoint,
    fetch,
  });
  const files: HubFile[] = [];
  for (;;) {
    const next = await understood(connection, listed.next());
    if (next.done) return files;
    const file = readEntry(next.value, connection);
    if (file !== null) files.push(file);
    if (files.length > MAX_FILES)
      throw new UserError(`${describeRepository(repository)} lists more than ${MAX_FILES} files`);
  }
}

function readEntry(value: unknown, connection: Connection): HubFile | null {
  const entry = entrySchema.safeParse(value).data;
  if (entry === undefined) throw strange(connection, "its list of files has an unknown form");
  if (entry.type !== "file") return null;
  if (!isSafePath(entry.path)) {
    const shown = JSON.stringify(entry.path.slice(0, 80));
    throw new UserError(
      `${describeRepository(connection.repository)} has a file called ${shown}, which could leave the cache`,
    );
  }
  const checksum = entry.lfs?.oid ?? entry.oid ?? "";
  const isKnown = entry.lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
  const bytes = entry.lfs?.size ?? entry.size;
  if (!isKnown.test(checksum) || bytes === undefined)
    throw strange(connection, `it gives no checksum of ${entry.path}`);
  return { path: entry.path, size: bytes, checksum };
}

/** The library lets through what the server wrote: an answer that is no JSON is the server's fault. */
async function understood<T>(connection: Connection, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof UserError || error instanceof RunError || connection.signal?.aborted) throw error;
    throw strange(connection, "it is not what the Hub's API gives");
  }
}

function strange({ settings, repository }: Connection, how: string): UserError {
  return new UserError(
    `${describeRepository(repository)}: the answer of ${settings.endpoint} cannot be used: ${how}; check HF_ENDPOINT`,
  );
}

/**
 * One file of the Hub into the cache's blobs/: it goes on from what an interrupted download left in CHECKSUM.incomplete,
 * and takes its place only when size and checksum are right. Two processes never write the same part.
 */

import { createHash } from "node:crypto";
import { constants, createReadStream, lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { makeFolder } from "../../core/make-folder.ts";
import { asFileError } from "../../core/system-errors.ts";
import { type Connection, networkReason } from "./connection.ts";
import type { HubFile } from "./listing.ts";
import { describeRepository } from "./repository.ts";

/** Downloads a file of a commit to `path`; `onBytes` is told how many bytes are there. */
export async function downloadBlob(
  connection: Connection,
  commit: string,
  file: HubFile,
  path: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const partial = claimPartial(path);
  try {
    let isResumed = sizeOf(partial) > 0;
    for (;;) {
      await fill(connection, fileUrl(connection, commit, file), file, partial, onBytes);
      const found = await checksum(partial, file);
      if (found === file.checksum) break;
      rmSync(partial);
      if (!isResumed) {
        throw new UserError(
          `${file.path} of ${describeRepository(connection.repository)} arrived with checksum ${found} where the Hub ` +
            `states ${file.checksum}; it was deleted: try again, and check the network if this goes on`,
        );
      }
      isResumed = false; // what an earlier download left may have been the damaged part
    }
    renameSync(partial, path);
  } catch (error) {
    if (sizeOf(partial) > 0) renameSync(partial, `${path}.incomplete`);
    else rmSync(partial, { force: true });
    throw asFileError(error, { verb: "write", path: partial });
  }
}

/** Abandoned parts of other machines, whose processes cannot be seen, are taken over after this long. */
const ABANDONED_MS = 10 * 60_000;

/**
 * A part of this process alone, with what an earlier one left: renaming is what only one process can win. Parts of
 * processes that live are left to them.
 */
function claimPartial(path: string): string {
  makeFolder(dirname(path));
  const mine = `${path}.${encodeURIComponent(hostname())}-${process.pid}.incomplete`;
  const start = `${basename(path)}.`;
  const left = readdirSync(dirname(path)).filter((name) => name.startsWith(start) && name.endsWith("incomplete"));
  for (const name of left) {
    const other = join(dirname(path), name);
    if (!isAbandoned(other, name.slice(start.length, -".incomplete".length))) continue;
    if (!isPlainFile(other)) rmSync(other, { force: true, recursive: true });
    else if (sizeOf(other) > sizeOf(mine)) renameIfThere(other, mine);
  }
  if (sizeOf(mine) > 0 && !isPlainFile(mine)) rmSync(mine, { force: true });
  return mine;
}

/** `holder` is empty for a part that was handed back, "host-pid" for one of viva's, else another program's. */
function isAbandoned(path: string, holder: string): boolean {
  if (holder === "") return true;
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && Date.now() - stat.mtimeMs > ABANDONED_MS) return true;
  const [, host, pid] = /^(.*)-(\d+)$/.exec(holder) ?? [];
  return host === encodeURIComponent(hostname()) && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Appends until the part has the file's size; breaks in the connection are tried again from where it stands. */
async function fill(
  connection: Connection,
  url: string,
  file: HubFile,
  partial: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  // No link is followed: the part is this process's own file.
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o666);
  try {
    let size = (await handle.stat()).size;
    if (size > file.size) size = await cut(handle);
    for (let attempt = 1; size < file.size; attempt++) {
      onBytes(size);
      const before = size;
      let broken: string;
      try {
        size = await append(connection, url, file, handle, size, onBytes);
        if (size === file.size) break;
        broken = "the connection ended early";
      } catch (error) {
        const isOurs = error instanceof Error && (error.name === "RunError" || error instanceof UserError);
        if (isOurs || connection.signal?.aborted || (error as NodeJS.ErrnoException).syscall === "write") throw error;
        broken = networkReason(error);
        size = (await handle.stat()).size;
      }
      if (size > before) attempt = 1;
      await connection.pause(attempt, `${file.path} broke off at ${size} of ${file.size} bytes (${broken})`);
    }
    await handle.sync();
    onBytes(size);
  } finally {
    await handle.close();
  }
}

/** One request from `from` on; returns how many bytes the part has then. */
async function append(
  connection: Connection,
  url: string,
  file: HubFile,
  handle: FileHandle,
  from: number,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const range: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
  const response = await connection.get(url, { "accept-encoding": "identity", ...range });
  const isPart = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${from}-`);
  let size = from;
  if (from > 0 && !isPart) size = await cut(handle); // the server sends the whole file
  if (response.body === null) return size;
  const reader = response.body.getReader();
  try {
    for (let part = await connection.read(reader); part !== null; part = await connection.read(reader)) {
      if (size + part.length > file.size) {
        await cut(handle);
        throw new UserError(
          `${file.path} of ${describeRepository(connection.repository)} is longer than the ${file.size} bytes that the Hub states`,
        );
      }
      for (let done = 0; done < part.length; ) {
        done += (await handle.write(part, done, part.length - done, size + done)).bytesWritten;
      }
      size += part.length;
      onBytes(size);
    }
    return size;
  } finally {
    reader.cancel().catch(() => {}); // an answer that is not wanted any more; its failure has been told
  }
}

async function cut(handle: FileHandle): Promise<number> {
  await handle.truncate(0);
  return 0;
}

/** SHA-256 of the content, or git's SHA-1, which counts a header with the size first. */
async function checksum(path: string, file: HubFile): Promise<string> {
  const hash = file.checksum.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${file.size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function fileUrl({ settings, repository }: Connection, commit: string, file: HubFile): string {
  const kind = repository.type === "dataset" ? "datasets/" : "";
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  return `${settings.endpoint}/${kind}${repository.name}/resolve/${commit}/${path}`;
}

function sizeOf(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // else another process won it
  }
}

/**
 * One writer per run folder: a file that names the process which holds it. The file appears whole (hard link), a lock
 * left by a dead process is taken over, and a lock of another machine is respected, since its process cannot be seen.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { UserError } from "../core/errors.ts";
import { asFileError } from "../core/system-errors.ts";

/** A held lock. */
export interface Lock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process started, as the kernel tells it: a reused pid is not the same process. Null where unknown. */
  readonly started: string | null;
}

/** Takes the lock, or fails with a UserError that names the process holding it. */
export function acquireLock(path: string): Lock {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), started: startOf(process.pid) } satisfies Holder);
  const unique = `${path}.${process.pid}-${process.hrtime.bigint()}`;
  try {
    writeFileSync(unique, mine);
    while (!tryLink(unique, path)) removeIfStale(path, `${unique}.stale`);
  } catch (error) {
    throw asFileError(error, { verb: "write", path });
  } finally {
    rmSync(unique, { force: true });
  }
  return {
    release() {
      if (readOrNull(path) === mine) rmSync(path, { force: true });
    },
  };
}

/** Whether a living process holds the lock, or one of another machine, which cannot be seen. Changes nothing. */
export function isHeld(path: string): boolean {
  const text = readOrNull(path);
  return text !== null && mayLive(text);
}

/** Removes a dead process's lock; throws when the holder lives or may live. */
function removeIfStale(path: string, aside: string): void {
  const text = readOrNull(path);
  if (text === null) return;
  if (mayLive(text)) throw inUse(path, text);
  try {
    renameSync(path, aside);
  } catch {
    return; // another process took it over first: look again
  }
  const moved = readOrNull(aside);
  if (moved !== text && moved !== null) tryLink(aside, path); // it was no longer the dead one's: put it back
  rmSync(aside, { force: true });
}

function inUse(path: string, text: string): UserError {
  const holder = parseHolder(text);
  const who = holder === null ? "another process" : `process ${holder.pid} on ${holder.host}`;
  return new UserError(`${path}: ${who} is writing this run; wait for it, or delete the file if it no longer runs`);
}

function mayLive(text: string): boolean {
  const holder = parseHolder(text);
  if (holder === null) return false;
  if (holder.host !== hostname()) return true;
  if (!isAlive(holder.pid)) return false;
  const started = startOf(holder.pid);
  return holder.started === null || started === null || started === holder.started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Boot and clock tick at which a process started (Linux), else null. */
function startOf(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  const tick = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  if (tick === undefined) return null;
  return `${(readOrNull("/proc/sys/kernel/random/boot_id") ?? "").trim()}/${tick}`;
}

function parseHolder(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Holder | null;
    return Number.isInteger(value?.pid) ? value : null;
  } catch {
    return null;
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

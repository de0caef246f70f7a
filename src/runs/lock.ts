/**
 * One writer per run folder: a file that names the process which holds it. The file appears whole (hard link), and a lock
 * left by a dead process is taken over. A process of another machine cannot be seen: its lock is dead when nothing has
 * touched it for two minutes, by the clock of the file system, and a holder that wakes to find its lock gone ends itself.
 */
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { RunError, UserError } from "../core/errors.ts";
import { asFileError } from "../core/system-errors.ts";

/** A held lock. */
export interface Lock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Containers of one host have process ids of their own. Null where unknown. */
  readonly space: string | null;
  /** When the process started, as the kernel tells it: a reused pid is not the same process. Null where unknown. */
  readonly started: string | null;
}

/** Between touches of a held lock. */
const BEAT_MS = 10_000;
/** A lock of another machine that was not touched for so long is dead. */
const DEAD_MS = 120_000;

/** Takes the lock, or fails with a UserError that names the process holding it. */
export function acquireLock(path: string): Lock {
  const own = { pid: process.pid, host: hostname(), space: ownSpace(), started: startOf(process.pid) };
  const mine = JSON.stringify(own satisfies Holder);
  const unique = uniqueName(path);
  try {
    writeFileSync(unique, mine);
    while (!tryLink(unique, path)) removeIfStale(path, `${unique}.stale`);
  } catch (error) {
    throw asFileError(error, { verb: "write", path });
  } finally {
    rmSync(unique, { force: true });
  }
  const timer = setInterval(() => beat(path, mine), BEAT_MS).unref();
  return {
    release() {
      clearInterval(timer);
      if (readOrNull(path) === mine) rmSync(path, { force: true });
    },
  };
}

/** Whether a process holds the lock that lives, or may live. */
export function isLocked(path: string): boolean {
  const text = readOrNull(path);
  return text !== null && mayLive(text, path);
}

/** Makes the lock's file younger: its first byte is written once more, so that it is whole at every moment. */
function beat(path: string, mine: string): void {
  if (readOrNull(path) !== mine) {
    throw new RunError(`${path}: another process has taken this run over, after this one had been away; it ends here`);
  }
  const fd = openSync(path, "r+");
  try {
    writeSync(fd, mine.slice(0, 1), 0);
  } finally {
    closeSync(fd);
  }
}

/** Removes a dead process's lock; throws when the holder lives or may live. */
function removeIfStale(path: string, aside: string): void {
  const text = readOrNull(path);
  if (text === null) return;
  if (mayLive(text, path)) throw inUse(path, text);
  try {
    renameSync(path, aside);
  } catch {
    return; // another process took it over first: look again
  }
  const moved = readOrNull(aside);
  if (moved !== text && moved !== null) tryLink(aside, path); // it was no longer the dead one's: put it back
  rmSync(aside, { force: true });
}

/** What every refusal of a lock says. */
export const HELD = "is writing this run";

function inUse(path: string, text: string): UserError {
  const holder = parseHolder(text);
  const who = holder === null ? "another process" : `process ${holder.pid} on ${holder.host}`;
  return new UserError(`${path}: ${who} ${HELD}; wait for it, or delete the file if it no longer runs`);
}

function mayLive(text: string, path: string): boolean {
  const holder = parseHolder(text);
  if (holder === null) return false;
  const isUnseen = holder.host !== hostname() || (holder.space ?? ownSpace()) !== ownSpace();
  if (isUnseen) return millisecondsOld(path) < DEAD_MS;
  if (!isAlive(holder.pid)) return false;
  const started = startOf(holder.pid);
  return holder.started === null || started === null || started === holder.started;
}

/** By the clock of the file system that holds the lock: how much older it is than a file written now. */
function millisecondsOld(path: string): number {
  const now = uniqueName(path);
  try {
    writeFileSync(now, "");
    return statSync(now).mtimeMs - statSync(path).mtimeMs;
  } catch {
    return 0; // gone meanwhile, or not to be written: it may live
  } finally {
    rmSync(now, { force: true });
  }
}

function uniqueName(path: string): string {
  return `${path}.${process.pid}-${process.hrtime.bigint()}`;
}

function ownSpace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  // A dead process that its parent has not asked about keeps its id: for ever, where nothing reaps orphans.
  if (/\) [ZX] /.test(readOrNull(`/proc/${pid}/stat`) ?? "")) return false;
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

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RunError } from "../core/errors.ts";
import { acquireLock, isLocked } from "./lock.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-lock-"));
  path = join(folder, ".lock");
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const age = (seconds: number) => utimesSync(path, new Date(), new Date(Date.now() - seconds * 1000));

test.each([
  ["another machine", { pid: process.pid, host: "another-machine", space: null, started: null }],
  ["another container of this host", { pid: 1, host: hostname(), space: "pid:[1]", started: null }],
])("a lock of %s lives while it is touched, and is taken over when nothing has touched it", (_, holder) => {
  writeFileSync(path, JSON.stringify(holder));
  age(100);
  expect(isLocked(path)).toBe(true);
  expect(() => acquireLock(path)).toThrow(/is writing this run/);
  age(130);
  expect(isLocked(path)).toBe(false);
  acquireLock(path).release();
});

test("a held lock is touched again and again, and stays whole", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const lock = acquireLock(path);
  const text = readFileSync(path, "utf8");
  age(500);
  vi.advanceTimersByTime(11_000);
  expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(10_000);
  expect(readFileSync(path, "utf8")).toBe(text);
  expect(isLocked(path)).toBe(true);
  lock.release();
  expect(isLocked(path)).toBe(false);
  vi.advanceTimersByTime(60_000); // touched no more
  expect(isLocked(path)).toBe(false);
});

test("a holder that finds another's lock ends itself, and leaves that lock alone", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const lock = acquireLock(path);
  const other = JSON.stringify({ pid: 1, host: "another-machine", space: null, started: null });
  writeFileSync(path, other);
  expect(() => vi.advanceTimersByTime(11_000)).toThrow(RunError);
  lock.release();
  expect(readFileSync(path, "utf8")).toBe(other);
});

test.runIf(process.platform === "linux")("a process that is dead and not reaped holds nothing", async () => {
  const parent = spawn("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 30"]); // ends after the shell, which would ask about it, is a sleep
  try {
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    writeFileSync(path, JSON.stringify({ pid, host: hostname(), space: null, started: null }));
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8")).toMatch(/\) Z /);
    expect(isLocked(path)).toBe(false);
  } finally {
    parent.kill();
  }
});

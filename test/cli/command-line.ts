/** Runs the built command `viva`, in this process or in one of its own; kills only children it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, inject } from "vitest";
import { root } from "../checkout.ts";
import { runHere } from "./run-here.ts";

export { root };

const main = join(inject("built"), "dist/cli/main.js");

/** How a command ended. */
export interface Finished {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command in a folder, in a process of its own, as users do: what can be stopped, or runs beside others. */
export function start(folder: string, args: readonly string[]): { child: ChildProcess; finished: Promise<Finished> } {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text.stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text.stderr += chunk));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...text }));
  });
  return { child, finished };
}

/** Runs a command in a folder to its end in a process of its own, which loads the user's modules anew. */
export function vivaApart(folder: string, ...args: readonly string[]): Promise<Finished> {
  return start(folder, args).finished;
}

/** Runs a command in a folder to its end, in this process. */
export async function viva(folder: string, ...args: readonly string[]): Promise<Finished> {
  return { signal: null, ...(await runHere(folder, args)) };
}

/** Runs a command that must succeed. */
export async function vivaOk(folder: string, ...args: readonly string[]): Promise<Finished> {
  const finished = await viva(folder, ...args);
  expect(finished.code, `viva ${args.join(" ")}\n${finished.stderr}${finished.stdout}`).toBe(0);
  return finished;
}

/** Runs a command and sends it a signal once `when` holds, looked at every millisecond, and `delay` has passed. */
export async function interrupted(
  folder: string,
  args: readonly string[],
  o: { readonly signal: NodeJS.Signals; readonly when: () => boolean; readonly delay?: number },
): Promise<Finished> {
  const { child, finished } = start(folder, args);
  const timer = setInterval(() => {
    if (!o.when()) return;
    clearInterval(timer);
    setTimeout(() => child.kill(o.signal), o.delay ?? 0);
  }, 1);
  try {
    return await finished;
  } finally {
    clearInterval(timer);
  }
}

/** A folder that goes when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "viva-cli-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Every file below a folder, by sorted relative path. */
export function filesBelow(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

/** The records of a JSONL file. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into lines of many kinds
export function jsonLines(...path: readonly string[]): any[] {
  const text = readFileSync(join(...path), "utf8");
  expect(text === "" || text.endsWith("\n"), `${path.at(-1)} ends with a whole line`).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

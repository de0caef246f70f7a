/**
 * Runs a command of `viva` in this process: the built code from its words to its exit code, all but the start of a process
 * and its signals. One at a time, since what commands write, their folder and their words are the process's own.
 */
import { Console } from "node:console";
import { join } from "node:path";
import { Writable } from "node:stream";
import { inject } from "vitest";
import type { MainProcess } from "../../src/cli/arguments.ts";

/** What a command wrote, and its exit code. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let last: Promise<unknown> = Promise.resolve();

/** Runs a command in a folder to its end, after those asked for before. */
export function runHere(folder: string, args: readonly string[]): Promise<Ended> {
  const ended = last.then(() => run(folder, args));
  last = ended.catch(() => {});
  return ended;
}

async function run(folder: string, args: readonly string[]): Promise<Ended> {
  const cli = join(inject("built"), "dist/cli");
  const { runViva } = (await import(join(cli, "run.mjs"))) as typeof import("../../src/cli/run.ts");
  const [out, err] = [collector(), collector()];
  const argv = [process.execPath, join(cli, "main.js"), ...args];
  const restore = [
    replaced(process, "argv", argv),
    replaced(process, "execArgv", []),
    replaced(process, "stdout", out.stream),
    replaced(process, "stderr", err.stream),
    replaced(globalThis, "console", new Console(out.stream, err.stream)),
  ];
  const before = { folder: process.cwd(), exitCode: process.exitCode };
  process.chdir(folder);
  process.exitCode = undefined; // some commands set it
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const host = {
        ...{ argv, env: process.env, stdout: out.stream, stderr: err.stream, on: () => process },
        exit: (ended: number) => resolve(ended),
      } as unknown as MainProcess;
      const end = () => host.exitCode !== undefined && resolve(Number(process.exitCode ?? host.exitCode));
      runViva(host).then(end, reject);
    });
    return { code, stdout: out.text(), stderr: err.text() };
  } finally {
    process.chdir(before.folder);
    process.exitCode = before.exitCode;
    for (const undo of restore.reverse()) undo();
  }
}

/** Puts a value in a property's place; returns what puts the property back. */
function replaced(of: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(of, name)!;
  Object.defineProperty(of, name, { value, configurable: true, writable: true });
  return () => void Object.defineProperty(of, name, before);
}

/** A stream that keeps what is written to it. */
function collector(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}

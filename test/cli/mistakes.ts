/** What every mistake of a user must look like: one sentence, exit code 2, no stack trace, nothing left behind. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type Finished, filesBelow, viva } from "./command-line.ts";

/** The command failed as a mistake of the user, in one sentence that matches. */
export function expectMistake({ code, stdout, stderr }: Finished, sentence: RegExp): void {
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  expect(stderr).toMatch(sentence);
  expect(stderr + stdout).not.toMatch(/\n\s+at |internal:|\(unexpected|\[object|undefined|NaN/);
  expect(code).toBe(2);
}

/** Runs commands that must be refused, each in a new folder below `folder`, which stays empty. */
export function refusals(folder: string) {
  return async (sentence: RegExp, ...args: readonly string[]): Promise<void> => {
    mkdirSync(folder, { recursive: true });
    const empty = mkdtempSync(join(folder, "empty-"));
    expectMistake(await viva(empty, ...args), sentence);
    expect(filesBelow(empty)).toEqual([]);
  };
}

/** `--set` arguments. */
export function set(...changes: readonly string[]): readonly string[] {
  return changes.flatMap((change) => ["--set", change]);
}

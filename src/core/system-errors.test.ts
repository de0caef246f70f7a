import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RunError, UserError } from "./errors.ts";
import { makeFolder } from "./make-folder.ts";
import { asFileError, whileWriting } from "./system-errors.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-system-errors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "file");
writeFileSync(file, "");

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("a refusal of the operating system", () => {
  it.each([
    ["a folder as a file", () => writeFileSync(folder, ""), `cannot open ${folder}: it is a folder`],
    ["a folder that is read", () => readFileSync(folder), "cannot read: it is a folder"],
    [
      "a file as a folder",
      () => mkdirSync(join(file, "x")),
      `cannot make ${join(file, "x")}: a part of its path is a file`,
    ],
    ["a file whose names are read", () => readdirSync(file), `cannot read ${file}: a part of its path is a file`],
    [
      "nothing there",
      () => readFileSync(join(folder, "no")),
      `cannot open ${join(folder, "no")}: there is no such file`,
    ],
    ["too long a name", () => writeFileSync(join(folder, "x".repeat(300)), ""), "its name is too long"],
  ])("is one sentence for the user: %s", (_, work, sentence) => {
    const error = asFileError(thrown(work));
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toContain(sentence);
    expect((error as Error).cause).toBeDefined();
  });

  it.skipIf(!existsSync("/dev/full"))("is a failed run where the disk is full, with the place that was written", () => {
    const fd = openSync("/dev/full", "w");
    const error = thrown(() => whileWriting("metrics.jsonl", () => writeSync(fd, "x")));
    expect(error).toEqual(new RunError("cannot write metrics.jsonl: the disk is full"));
  });

  it("leaves other errors as they are", () => {
    const own = new TypeError("x is not a function");
    expect(asFileError(own)).toBe(own);
    const network = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" });
    expect(asFileError(network)).toBe(network);
  });
});

it("makes folders, and says why it cannot", () => {
  makeFolder(join(folder, "a/b"));
  makeFolder(join(folder, "a/b"));
  if (existsSync("/proc/self")) expect(() => makeFolder("/proc/viva/mine")).toThrow(/ENOENT/); // Node itself never ends
  expect(existsSync(join(folder, "a/b"))).toBe(true);
  const below = join(file, "a/b");
  expect(() => whileWriting(below, () => makeFolder(below))).toThrow(
    `cannot write ${below}: a part of its path is a file`,
  );
});

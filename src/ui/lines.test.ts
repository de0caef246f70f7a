import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { followLines } from "./lines.ts";

describe("a file that grows", () => {
  let folder: string;
  let path: string;
  let seen: string[];
  let resets: number;
  const follow = () => {
    seen = [];
    resets = 0;
    return followLines(path, {
      line: (text) => void seen.push(text),
      reset: () => {
        resets++;
        seen = [];
      },
    });
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viva-lines-"));
    path = join(folder, "x.jsonl");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("whole lines count, a half one waits, offsets are bytes", () => {
    const file = follow();
    expect(file.update()).toBe(false);
    writeFileSync(path, '{"a":"ä"}\n{"b"');
    expect(file.update()).toBe(true);
    expect([seen, file.bytes, file.count]).toEqual([['{"a":"ä"}'], 11, 1]);
    expect(file.update()).toBe(false);
    appendFileSync(path, ":2}\n\n");
    expect(file.update()).toBe(true);
    expect([seen, file.count]).toEqual([['{"a":"ä"}', '{"b":2}', ""], 3]);
    expect([file.read(1), file.read(3)]).toEqual(['{"b":2}', null]);
    expect([file.at(0), file.at(11), file.at(file.bytes), file.at(3)]).toEqual([0, 1, 3, null]);
    expect(resets).toBe(0);
  });

  test("is read again after it was cut, replaced by a longer one, or removed", () => {
    writeFileSync(path, "1\n2\n3\n");
    const file = follow();
    file.update();
    truncateSync(path, 4);
    expect([file.update(), seen, resets]).toEqual([true, ["1", "2"], 1]);
    writeFileSync(`${path}.tmp`, "7\n8\n9\n10\n");
    renameSync(`${path}.tmp`, path);
    expect([file.update(), seen, resets, file.generation]).toEqual([true, ["7", "8", "9", "10"], 2, 2]);
    writeFileSync(path, "6\n8\n9\n10\n11\n"); // in place, longer, with another start
    expect([file.update(), seen]).toEqual([true, ["6", "8", "9", "10", "11"]]);
    rmSync(path);
    expect([file.update(), seen, file.count]).toEqual([true, [], 0]);
    expect(file.update()).toBe(false);
  });

  test("lines longer than a block are put together", () => {
    const long = "x".repeat(5_000_000);
    writeFileSync(path, `a\n${long}\nb\n`);
    const file = follow();
    file.update();
    expect(seen.map((text) => text.length)).toEqual([1, 5_000_000, 1]);
    expect(file.read(2)).toBe("b");
  });

  test("a folder in the file's place is an empty file", () => {
    path = folder;
    const file = follow();
    expect([file.update(), file.count]).toEqual([false, 0]);
  });
});

import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { logRecords, wandbHeader } from "./wandb-log.ts";

/** Reads records as LevelDB's log does, checking every checksum. */
function readLog(file: Buffer): string[] {
  const found: string[] = [];
  let pending: Buffer[] = [];
  for (let at = wandbHeader.length; at < file.length; ) {
    const left = 32_768 - (at % 32_768);
    if (left < 7) {
      at += left;
      continue;
    }
    const [sum, length, type] = [file.readUInt32LE(at), file.readUInt16LE(at + 4), file[at + 6]!];
    const data = file.subarray(at + 7, at + 7 + length);
    expect(crc32(file.subarray(at + 6, at + 7 + length))).toBe(sum);
    expect(length + 7, "a fragment stays in its block").toBeLessThanOrEqual(left);
    if (type === 1 || type === 2) expect(pending).toEqual([]);
    pending.push(data);
    if (type === 1 || type === 4) {
      found.push(Buffer.concat(pending).toString());
      pending = [];
    }
    at += 7 + length;
  }
  expect(pending).toEqual([]);
  return found;
}

describe("records come back from the log", () => {
  const filled = (left: number) => ["x".repeat(32_768 - 14 - left), "next"];
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["small ones", ["a", "", "bc"]],
    ["one of three blocks", ["x".repeat(80_000), "y"]],
    ["a block filled to its last byte", filled(0)],
    ...[1, 6, 7, 8].map((left) => [`${left} bytes left in a block`, filled(left)] as const),
  ];
  test.each(cases)("%s", (_, texts) => {
    const records = texts.map((text) => Buffer.from(text));
    const whole = Buffer.concat([wandbHeader, logRecords(records, wandbHeader.length)]);
    expect(readLog(whole)).toEqual(texts);
    let parts = Buffer.from(wandbHeader);
    for (const record of records) parts = Buffer.concat([parts, logRecords([record], parts.length)]);
    expect(parts.equals(whole), "appended one by one").toBe(true);
  });
});

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openJsonl, readJsonl, truncateJsonl } from "./jsonl.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-jsonl-"));
  path = join(folder, "metrics.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("what was appended is read back, a line per record", () => {
  const stream = openJsonl(path);
  stream.append({ step: 1, text: "zwei\nZeilen · 二行" });
  stream.append({ step: 2, loss: Number.NaN, kl: Number.NEGATIVE_INFINITY });
  stream.close();
  expect(readJsonl(path)).toEqual([
    { step: 1, text: "zwei\nZeilen · 二行" },
    { step: 2, loss: "NaN", kl: "-Infinity" },
  ]);
  expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
});

test("a half-written last line is ignored by readers, wherever the kill came", () => {
  const whole = '{"step":1}\n';
  const last = '{"step":2,"text":"é"}\n';
  const bytes = Buffer.from(whole + last);
  for (let cut = whole.length; cut < bytes.length - 1; cut++) {
    writeFileSync(path, bytes.subarray(0, cut));
    expect(readJsonl(path)).toEqual([{ step: 1 }]);
  }
  writeFileSync(path, bytes.subarray(0, bytes.length - 1)); // only the newline is missing: the record is whole
  expect(readJsonl(path)).toHaveLength(2);
});

test("a writer that reopens cuts a half line off, and only completes a whole one", () => {
  writeFileSync(path, '{"step":1}\n{"step":2,"te');
  const stream = openJsonl(path);
  stream.append({ step: 3 });
  stream.close();
  expect(readFileSync(path, "utf8")).toBe('{"step":1}\n{"step":3}\n');

  writeFileSync(path, '{"step":1}');
  openJsonl(path).close();
  expect(readFileSync(path, "utf8")).toBe('{"step":1}\n');
});

test("half lines longer than the read buffers are found", () => {
  const long = "x".repeat(600_000);
  writeFileSync(path, `${JSON.stringify({ step: 1, long })}\n{"step":2,"long":"${long}`);
  expect(readJsonl<{ long: string }>(path).map((r) => r.long.length)).toEqual([600_000]);
  openJsonl(path).close();
  expect(readFileSync(path, "utf8")).toBe(`${JSON.stringify({ step: 1, long })}\n`);
});

test("damage before the last line is an error that names file and line", () => {
  writeFileSync(path, '{"step":1}\n{"st\n{"step":3}\n');
  expect(() => readJsonl(path)).toThrow(/metrics\.jsonl:2: not a JSON object: /);
  writeFileSync(path, '{"step":1}\n17\n{"step":3}\n');
  expect(() => readJsonl(path)).toThrow(/metrics\.jsonl:2: expected a JSON object/);
  expect(() => readJsonl(join(folder, "none.jsonl"))).toThrow(/no such file/);
});

test("truncating drops the lines that fail and the half line, and leaves nothing beside", () => {
  writeFileSync(path, '{"step":1}\n{"step":2}\n\n{"step":3}\n{"ste');
  expect(truncateJsonl(path, ({ step }) => (step as number) <= 2)).toBe(2);
  expect(readFileSync(path, "utf8")).toBe('{"step":1}\n{"step":2}\n');
  expect(truncateJsonl(path, () => true)).toBe(0);
  expect(truncateJsonl(join(folder, "none.jsonl"), () => true)).toBe(0);
  expect(readdirSync(folder)).toEqual(["metrics.jsonl"]);
});

test("a truncation that fails leaves the file as it was", () => {
  const before = '{"step":1}\n{"st\n{"step":3}\n';
  writeFileSync(path, before);
  expect(() => truncateJsonl(path, () => true)).toThrow(/metrics\.jsonl:2/);
  expect(readFileSync(path, "utf8")).toBe(before);
  expect(readdirSync(folder)).toEqual(["metrics.jsonl"]);
});

test("an open stream appends to the truncated file", () => {
  const stream = openJsonl(path);
  for (const step of [1, 2, 3]) stream.append({ step });
  expect(stream.truncate(({ step }) => step !== 3)).toBe(1);
  stream.append({ step: 30 });
  stream.close();
  expect(readJsonl(path)).toEqual([{ step: 1 }, { step: 2 }, { step: 30 }]);
  expect(() => stream.append({})).toThrow(/internal: .*closed/);
});

test("lines of two writers never mix within a line", () => {
  const stream = openJsonl(path);
  stream.append({ a: 1 });
  appendFileSync(path, '{"b":2}\n');
  stream.append({ a: 3 });
  stream.close();
  expect(readJsonl(path)).toEqual([{ a: 1 }, { b: 2 }, { a: 3 }]);
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readJsonLines, scanJsonLines } from "./json-lines.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-json-lines-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "rows.jsonl");
const read = (content: string | Buffer) => {
  writeFileSync(file, content);
  return readJsonLines(file, "rows");
};

it("counts lines from 1, blank ones too, and passes over a byte order mark", () => {
  expect(read('\ufeff{"a":1}\r\n\n  \n[2]\n3')).toEqual([
    { value: { a: 1 }, line: 1, where: `${file}:1` },
    { value: [2], line: 4, where: `${file}:4` },
    { value: 3, line: 5, where: `${file}:5` },
  ]);
  expect(read("")).toEqual([]);
});

it("reads lines that end anywhere in what is read at once, letters of several bytes too", () => {
  const texts = [262_141, 262_142, 262_143, 600_000].map((length) => `${"x".repeat(length)}é二`);
  const lines = read(texts.map((text) => JSON.stringify(text)).join("\n"));
  expect(lines.map(({ value }) => value)).toEqual(texts);
});

it("names file and line of what is no JSON, and goes on after it when lines are scanned", () => {
  expect(() => read('{"a":1}\n{"b\n')).toThrow(/rows\.jsonl:2: not a JSON object: /);
  writeFileSync(file, '{"b\n{"a":1}\n');
  const [damaged, whole] = [...scanJsonLines(file, "rows")];
  expect(damaged).toMatchObject({ text: '{"b', line: 1, value: undefined });
  expect(whole).toMatchObject({ line: 2, value: { a: 1 }, fault: null });
});

it.each<[string, string | Buffer, RegExp]>([
  ["a key twice", `{}\n{"a":{"b":1,"b":2}}`, /rows\.jsonl:2: an object holds the key "b" twice/],
  ["more digits than a number keeps", `{"id":9007199254740993}`, /rows\.jsonl:1: 9007199254740993 has more digits/],
  ["Latin-1", Buffer.from(`{}\n\n"é"\n`, "latin1"), /cannot read rows .*: line 3 is not UTF-8: save the file as UTF-8/],
  ["UTF-16", Buffer.from(`\ufeff{"a":1}\n`, "utf16le"), /: it is UTF-16: save/],
])("refuses %s", (_, content, message) => {
  expect(() => read(content)).toThrow(message);
});

it("says what cannot be read", () => {
  expect(() => readJsonLines(join(folder, "none.jsonl"), "rows")).toThrow(
    /^cannot read rows .*none\.jsonl: there is no such file$/,
  );
  expect(() => readJsonLines(folder, "rows")).toThrow(/it is a folder$/);
});

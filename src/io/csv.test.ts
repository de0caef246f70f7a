import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readCsv } from "./csv.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-csv-"));
afterAll(() => rmSync(folder, { recursive: true }));

function rowsOf(text: string) {
  writeFileSync(join(folder, "t.csv"), text);
  return readCsv(join(folder, "t.csv"), "rows").map(({ fields }) => fields);
}

it.each([
  ["commas", 'a,b\n"1,5","x ""y"""\n', { a: "1,5", b: 'x "y"' }],
  ["semicolons, as spreadsheets write them", '\ufeffa;b\r\n1,5;"x;y"\r\n', { a: "1,5", b: "x;y" }],
  ["tabs", "a\tb\n1;5\tx,y\n", { a: "1;5", b: "x,y" }],
  ["commas, with semicolons in a name", '"a;b",c\n1;5,x\n', { "a;b": "1;5", c: "x" }],
  ["nothing, in one column", "a\n1;5\n", { a: "1;5" }],
])("reads rows with %s between the fields", (_, text, row) => {
  expect(rowsOf(text)).toEqual([row]);
});

it("counts fields by the header's separator", () => {
  expect(() => rowsOf("a;b\n1;2;3\n")).toThrow(/t\.csv:2: 3 fields, where the header has 2/);
});

import { expect, test } from "vitest";
import { alignColumns } from "./text-table.ts";

test("columns are as wide as their widest cell, and lines end with their text", () => {
  const rows = [
    ["a", "bbb", "c"],
    ["aaaa", "b", ""],
  ];
  expect(alignColumns(rows)).toEqual(["a     bbb  c", "aaaa  b"]);
  expect(alignColumns(rows, 1)).toEqual(["a     bbb  c", "aaaa    b"]);
  expect(alignColumns([])).toEqual([]);
});

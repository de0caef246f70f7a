import { expect, test } from "vitest";
import { alignColumns } from "./text-table.ts";

test("columns are as wide as their widest cell, and lines have no trailing blanks", () => {
  const rows = [
    ["a", "bbb", "c"],
    ["aaaa", "b", ""],
  ];
  expect(alignColumns(rows)).toEqual(["a     bbb  c", "aaaa  b"]);
  expect(alignColumns(rows, 1)).toEqual(["a     bbb  c", "aaaa    b"]);
  expect(alignColumns([])).toEqual([]);
});

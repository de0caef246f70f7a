import { describe, expect, it } from "vitest";
import { repeatedKey } from "./json-keys.ts";

describe("repeatedKey", () => {
  it.each([
    ['{"a": 1, "b": 2}', null],
    ['{"a": 1, "a": 2}', "a"],
    ['{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}', null],
    ['{"x": [{"k": 1, "k" \n : 2}]}', "k"],
    ['{"a\\"b": 1, "a\\\\": 2, "a\\"b": 3}', 'a"b'],
    ['{"\\u0061": 1, "a": 2}', "a"],
    ['{"a": "a", "b": "a\\":{", "c": ["a", "a"]}', null],
    ["[]", null],
    ['"a"', null],
  ])("%s", (json, expected) => {
    JSON.parse(json);
    expect(repeatedKey(json)).toBe(expected);
  });
});

import { describe, expect, it } from "vitest";
import { repeatedKey, roundedNumber } from "./json-keys.ts";

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

describe("roundedNumber", () => {
  it.each([
    ['{"a": 9007199254740991, "b": -9007199254740991, "c": 0.12345678901234567890}', null],
    ['{"a": [1, 9007199254740993]}', "9007199254740993"],
    ['{"a": -12345678901234567890.5}', "-12345678901234567890.5"],
    ['{"a": 1e400}', "1e400"],
    ['{"9007199254740993": "id 9007199254740993, \\"9007199254740993"}', null],
    ["9007199254740993", "9007199254740993"],
  ])("%s", (json, expected) => {
    JSON.parse(json);
    expect(roundedNumber(json)).toBe(expected);
  });
});

import { describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { createTimeLimit } from "./time-limit.ts";

describe("createTimeLimit", () => {
  const limit = createTimeLimit();

  it("gives results and errors as they are", () => {
    expect(limit("x", () => [1, 2])).toEqual([1, 2]);
    expect(() =>
      limit("x", () => {
        throw new UserError("mine");
      }),
    ).toThrow(UserError);
    expect(limit("outer", () => limit("inner", () => 3))).toBe(3);
  });

  it("stops loops and patterns that never end, and works again", () => {
    const loop = () => {
      for (;;);
    };
    expect(() => limit("a loop", loop, 0.05)).toThrow(/^a loop was not done after 0\.05 s/);
    const pattern = () => /^(a+)+$/.test(`${"a".repeat(50)}b`);
    expect(() => limit("a pattern", pattern, 0.05)).toThrow(UserError);
    expect(limit("x", () => 4)).toBe(4);
  });
});

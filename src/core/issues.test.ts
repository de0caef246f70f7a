import { describe, expect, it } from "vitest";
import * as z from "zod";
import { problemOf } from "./issues.ts";

const item = z.object({ kind: z.literal("a"), size: z.int() });
const schema = z.object({
  one: z.union([z.string(), z.number(), z.null()]).optional(),
  list: z.union([z.string(), z.array(item)]).optional(),
  told: z.union([z.string(), z.array(item)], { error: "expected a name or items" }).optional(),
  inner: z.union([z.union([z.boolean(), z.literal("auto")]), z.array(z.string())]).optional(),
});

function said(value: object): string {
  const { path, message } = problemOf(schema.safeParse(value).error!.issues[0]!);
  return `${path.join(".")}: ${message}`;
}

describe("what a schema expected", () => {
  it("of a union is all that it would take, where nothing comes near", () => {
    expect(said({ one: [] })).toBe("one: expected a text or a number or null");
    expect(said({ inner: 3 })).toBe('inner: expected true or false or "auto" or a list');
    expect(said({ told: 3 })).toBe("told: expected a name or items");
  });

  it("is what the alternative wants that went deepest", () => {
    expect(said({ list: [{ kind: "a", size: 1 }, { kind: "a" }] })).toBe("list.1.size: missing, expected a number");
    expect(said({ told: [{ kind: "b", size: 1 }] })).toMatch(/^told\.0\.kind: .*expected "a"/);
  });

  it("is in words, with what was given in its place", () => {
    const inner = z.object({
      size: z.int().min(1).max(9).optional(),
      share: z.number().gt(0).optional(),
      names: z.array(z.string().min(1)).min(1).max(2).optional(),
      way: z.enum(["auto", "low"]).optional(),
    });
    const told = (value: object) => problemOf(inner.safeParse(value).error!.issues[0]!).message;
    expect(told({ size: "a" })).toBe("expected a number, got a text");
    expect(told({ size: 0 })).toBe("expected a number of at least 1");
    expect(told({ size: 10 })).toBe("expected a number of at most 9");
    expect(told({ share: 0 })).toBe("expected a number above 0");
    expect(told({ names: [] })).toBe("expected at least 1 item");
    expect(told({ names: ["a", "b", "c"] })).toBe("expected at most 2 items");
    expect(told({ names: [""] })).toBe("expected at least 1 character");
    expect(told({ way: "ultra" })).toBe('expected "auto" or "low"');
  });
});

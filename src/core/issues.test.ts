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
    expect(said({ list: [{ kind: "a", size: 1 }, { kind: "a" }] })).toMatch(/^list\.1\.size: .*expected number/);
    expect(said({ told: [{ kind: "b", size: 1 }] })).toMatch(/^told\.0\.kind: .*expected "a"/);
  });
});

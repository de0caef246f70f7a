/** What a schema says of a wrong value, in words that name what was expected. */
import type * as z from "zod";

type Issue = z.core.$ZodIssue;

/** A problem with the whole path of the value that has it. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly issue: Issue;
}

/**
 * The problem of an issue: of a union that of the alternative which the value comes nearest to, the one that went deepest
 * into it; where none took it for its own, all that was expected.
 */
export function problemOf(issue: Issue, base: readonly PropertyKey[] = []): Problem {
  const path = [...base, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) {
    return { path, message: wordingOf(issue), issue };
  }
  const firsts = issue.errors.flatMap((issues) => issues.slice(0, 1));
  const nearest = firsts.reduce<Issue | null>((best, own) => (reach(own) > reach(best) ? own : best), null);
  if (nearest !== null) return problemOf(nearest, path);
  const isMissing = firsts.length > 0 && firsts.every((own) => own.message.endsWith("received undefined"));
  const expected = `${isMissing ? "missing, " : ""}expected ${expectations(firsts).join(" or ")}`;
  const message = issue.message === "Invalid input" ? expected : issue.message;
  return { path, message, issue };
}

/** What an issue says, to stand behind the value's name; what a schema says itself stays as it is. */
export function wordingOf(issue: Issue): string {
  if (!/^(Invalid|Too) /.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type": {
      const expected = names[issue.expected] ?? issue.expected;
      const received = /received (\w+)$/.exec(issue.message)?.[1] ?? "another";
      return received === "undefined"
        ? `missing, expected ${expected}`
        : `expected ${expected}, got ${names[received] ?? received}`;
    }
    case "invalid_value":
      return `expected ${expectations([issue]).join(" or ")}`;
    case "too_small":
      return `expected ${bound(issue.origin, Number(issue.minimum), issue.inclusive === false ? "above" : "at least")}`;
    case "too_big":
      return `expected ${bound(issue.origin, Number(issue.maximum), issue.inclusive === false ? "below" : "at most")}`;
    case "invalid_union": {
      const { options } = issue as { readonly options?: readonly unknown[] };
      return options === undefined
        ? issue.message
        : `expected ${options.map((own) => JSON.stringify(own)).join(" or ")}`;
    }
    default:
      return issue.message;
  }
}

/** "a number of at least 1", "at most 4 items". */
function bound(origin: string, limit: number, side: string): string {
  const units: Readonly<Record<string, string>> = { array: "item", string: "character" };
  const unit = units[origin];
  if (unit !== undefined) return `${side} ${limit} ${unit}${limit === 1 ? "" : "s"}`;
  return `a number ${side.startsWith("at") ? "of " : ""}${side} ${limit}`;
}

/** How far into a value an alternative went: 0 for one of another type. */
function reach(issue: Issue | null): number {
  if (issue === null || (issue.path.length === 0 && isOtherType(issue))) return 0;
  // What takes no value at all says nothing of this one.
  if (issue.code === "invalid_type" && issue.expected === "never") return 0;
  return issue.path.length + 1;
}

function isOtherType({ code }: Issue): boolean {
  return code === "invalid_type" || code === "invalid_value" || code === "invalid_union";
}

function expectations(issues: readonly Issue[]): readonly string[] {
  const words = issues.flatMap((issue): readonly string[] => {
    if (issue.code === "invalid_type") return [names[issue.expected] ?? issue.expected];
    if (issue.code === "invalid_value") return issue.values.map((value) => JSON.stringify(value));
    return issue.code === "invalid_union"
      ? expectations(issue.errors.flatMap((own) => own.slice(0, 1)))
      : [issue.message];
  });
  return [...new Set(words)];
}

const names: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  set: "a list",
  object: "a mapping",
  record: "a mapping",
  null: "null",
};

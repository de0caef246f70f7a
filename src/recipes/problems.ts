/** Describes a recipe's first problem in one sentence: location, full key, expectation and value. */
import type * as z from "zod";
import { nearest } from "../core/suggest.ts";
import { knownKeys, recipeJsonSchema, type Schema } from "./json-schema.ts";
import { otherAdvice } from "./other-names.ts";

type Issue = z.core.$ZodIssue;

/** Path of a key in a recipe, e.g. ["stages", 0, "steps"]. */
export type KeyPath = readonly PropertyKey[];

/** The first problem as a sentence; `where` says where a path was written: file and line, or option. */
export function describeProblem(
  issues: readonly Issue[],
  recipe: unknown,
  where: (path: KeyPath) => string,
  schema: Schema = recipeJsonSchema(),
): string {
  const all = issues.flatMap(innermost);
  const issue = all.find(({ code }) => code === "unrecognized_keys") ?? all[0]!; // a typo also makes a key missing
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]!] : issue.path;
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
  return `${where(path)}: ${sentence(issue, path, recipe, schema)}${more}`;
}

/** "stages.0.steps"; the whole recipe is "the recipe". */
export function spell(path: KeyPath): string {
  return path.length === 0 ? "the recipe" : path.map(String).join(".");
}

/** The value at a path, undefined if there is none. */
export function valueAt(root: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (value, part) => (value as Record<PropertyKey, unknown> | null | undefined)?.[part],
    root,
  );
}

function sentence(issue: Issue, path: KeyPath, recipe: unknown, schema: Schema): string {
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(issue.path, recipe, schema);
    const name = issue.keys[0]!;
    const near = nearest(name, known);
    const spelled = near === null ? `known here: ${known.join(", ")}` : `did you mean ${near}?`;
    const advice = otherAdvice(name, known) ?? misplaced(name, issue.path, recipe, schema) ?? spelled;
    return `unknown key ${spell(path)}; ${advice}`;
  }
  if (issue.code === "custom") return `${spell(path)} ${issue.message}`;
  const options = allowedTexts(issue);
  const expected = isUnknownKind(issue) ? `one of ${options.join(", ")}` : issue.message;
  const value = valueAt(recipe, path);
  if (value === undefined) return `${spell(path)} is missing; it must be ${expected}`;
  const near = typeof value === "string" ? nearest(value, options) : null;
  return `${spell(path)} must be ${expected}, got ${show(value)}${near === null ? "" : `; did you mean ${near}?`}`;
}

/** Where sections of a recipe have keys of their own. */
const sections = ["model", "model.lora", "data", "data.train", "evaluate", "checkpoint", "engine", "image", "alarms"];

/** What to say of a key of a recipe that stands in another place; null for one that it has nowhere. */
function misplaced(name: string, at: KeyPath, recipe: unknown, schema: Schema): string | null {
  const has = (path: KeyPath) => knownKeys(path, recipe, schema).includes(name);
  if (at.length > 0 && has([])) return `${name} is a key of the whole recipe: move it out`;
  const section = sections.find((own) => has(own.split(".")));
  if (section !== undefined) return `did you mean ${section}.${name}?`;
  const { stages } = (recipe ?? {}) as { readonly stages?: unknown };
  const isOfStage = at[0] !== "stages" && Array.isArray(stages) && stages.some((_, i) => has(["stages", i]));
  return isOfStage ? `did you mean ${name} of a stage?` : null;
}

/** For a union, the problem of the alternative whose type matches the value, if there is one. */
function innermost(issue: Issue): readonly Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const branch = issue.errors.find((problems) =>
    problems.every(({ path, code }) => path.length > 0 || code === "unrecognized_keys" || code === "custom"),
  );
  if (branch === undefined) return [issue];
  return branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(innermost);
}

/** The string values that were allowed, for "did you mean". */
function allowedTexts(issue: Issue): readonly string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  if (isUnknownKind(issue)) return issue.options;
  return issue.code === "invalid_union" ? issue.errors.flat().flatMap(allowedTexts) : [];
}

/** Whether the value's `kind` is unknown; zod then lists the known ones. */
function isUnknownKind(issue: Issue): issue is Issue & { readonly options: readonly string[] } {
  return "discriminator" in issue && "options" in issue;
}

function show(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

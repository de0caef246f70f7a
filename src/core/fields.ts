/**
 * Building blocks for schemas of user input: each describes in words what it expects, for messages of the form "must be
 * …".
 */
import * as z from "zod";

interface Range {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
}

/** Numbers are computed with in float32: smaller ones are 0 there, or soon, and larger ones infinite. */
const SIZE = { least: 1e-30, most: 1e30 };

/** A number within bounds that float32 can hold: 0, or from 1e-30 to 1e30 in size. */
export function number(range: Range = {}) {
  const error = `a number${inWords(range)}`;
  const isHeld = (value: number) => value === 0 || (Math.abs(value) >= SIZE.least && Math.abs(value) <= SIZE.most);
  const held = z
    .number({ error })
    .refine(isHeld, { error: `must be 0, or from ${SIZE.least} to ${SIZE.most} in size` });
  return bounded(held, range, error);
}

/** A whole number within bounds. */
export function whole(range: Range) {
  const error = `a whole number${inWords(range)}`;
  return bounded(z.int({ error }), range, error);
}

/** A string that is not empty. */
export function text(what = "a text") {
  return z.string({ error: what }).min(1, { error: what });
}

/** One item, or a list of them that is not empty. */
export function oneOrMore<Item extends z.ZodType>(item: Item, what: string) {
  return z.union([item, z.array(item).min(1, { error: what })], { error: what });
}

/** One of a few fixed strings. */
export function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, { error: values.length === 1 ? values[0] : `one of ${values.join(", ")}` });
}

/** One of the keys of a table. */
export function nameIn<const T extends object>(table: T) {
  return oneOf(...(Object.keys(table) as [keyof T & string, ...(keyof T & string)[]]));
}

/** true or false. */
export function flag() {
  return z.boolean({ error: "true or false" });
}

/** An object; unknown keys are errors. */
export function mapping<T extends z.core.$ZodShape>(shape: T) {
  return z.strictObject(shape, { error: "a mapping of keys to values" });
}

/** An object; unknown keys are options that a later layer checks. */
export function openMapping<T extends z.core.$ZodShape>(shape: T) {
  return z.looseObject(shape, { error: "a mapping of keys to values" });
}

function bounded<T extends z.ZodNumber>(schema: T, { min, above, max, below }: Range, error: string): T {
  let result = schema;
  if (min !== undefined) result = result.min(min, { error });
  if (above !== undefined) result = result.gt(above, { error });
  if (max !== undefined) result = result.max(max, { error });
  if (below !== undefined) result = result.lt(below, { error });
  return result;
}

function inWords({ min, above, max, below }: Range): string {
  const low = min !== undefined ? `of at least ${min}` : above !== undefined ? `above ${above}` : null;
  const high = max !== undefined ? `at most ${max}` : below !== undefined ? `below ${below}` : null;
  const words = [low, high].filter((part) => part !== null).join(" and ");
  return words === "" ? "" : ` ${words}`;
}

/** Checks the rows of a data file against a schema; every mistake names the file and the row. */
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import { ANSWER_TYPES, type AnswerType, type Example, type Facts } from "../core/records.ts";
import type { LoadOptions } from "./dataset.ts";
import { equalOptionsNotices } from "./notices.ts";

/** One row, checked; `where` is "FILE:LINE" or "FILE, row N". */
export function readRow<T>(schema: z.ZodType<T>, row: unknown, where: string): T {
  const checked = schema.safeParse(row);
  if (checked.success) return checked.data;
  const { path, message } = problemOf(checked.error.issues[0]!);
  const field = path.length > 0 ? `field "${path.join(".")}": ` : "";
  throw new UserError(`${where}: ${field}${message}`);
}

/** The rows of a JSON list; throws UserError when the file holds anything else. */
export function readRows<T>(schema: z.ZodType<T>, json: unknown, file: string): T[] {
  if (!Array.isArray(json)) throw new UserError(`${file}: expected a list of rows, got ${typeof json}`);
  return json.map((row, i) => readRow(schema, row, `${file}, row ${i + 1}`));
}

/** A trimmed text of a cell that may be a number or true/false; throws UserError when nothing is left. */
export function cellText(value: string | number | boolean, field: string, where: string): string {
  const text = typeof value === "boolean" ? (value ? "yes" : "no") : String(value).trim();
  if (text === "") throw new UserError(`${where}: the ${field} is empty`);
  return text;
}

/** What is known of an image, as a row writes it. */
export const factsCell = z.union([z.string(), z.record(z.string(), z.unknown())]);

/** Facts as a mapping, or as the JSON of one, which tables hold; throws UserError for anything else. */
export function factsIn(given: z.output<typeof factsCell>, where: string): Facts {
  const facts = typeof given === "string" ? mappingIn(given) : given;
  if (facts === null) throw new UserError(`${where}: "facts" must be a mapping, or the JSON of one`);
  return withoutNulls(facts) as Facts;
}

/** The mapping that a text is the JSON of; null for any other text. */
export function mappingIn(text: string): object | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}

/** Tables of fixed columns write what a mapping lacks as null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const present = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(present.map(([key, inner]) => [key, withoutNulls(inner)]));
}

/** A choice question's part of an example: its options and which of them is right, by index from here on. */
export function choiceOf(choices: readonly string[], answerIndex: number) {
  return { answer: choices[answerIndex]!, answerType: "choice", choices, answerIndex } as const;
}

/** Two options of a question are the same text. */
export class EqualOptionsError extends UserError {
  readonly exampleId: string;

  constructor(message: string, exampleId: string) {
    super(message);
    this.exampleId = exampleId;
  }
}

/** Throws EqualOptionsError where two options are the same text, since no answer could tell them apart. */
export function requireDifferentOptions(choices: readonly string[], exampleId: string, where: string): void {
  const seen = new Map<string, number>();
  for (const [i, choice] of choices.entries()) {
    const text = choice
      .normalize("NFC")
      .replace(/\p{Cf}/gu, "")
      .replace(/\s+/g, " ")
      .trim();
    const before = seen.get(text);
    if (before !== undefined) {
      const [first, second] = [before, i].map((index) => String.fromCharCode(65 + index));
      const message = `${where}: options ${first} and ${second} are both "${choice}": change or remove one`;
      throw new EqualOptionsError(message, exampleId);
    }
    seen.set(text, i);
  }
}

/**
 * The rows of a published set as examples. Its mistakes are not the user's to mend: a row with equal options is left out,
 * and the notice says how many were.
 */
export function publishedExamples<Row>(
  rows: readonly Row[],
  toExample: (row: Row, i: number) => Example,
  { onNotice }: LoadOptions,
): readonly Example[] {
  const leftOut: { readonly id: string }[] = [];
  const examples = rows.flatMap((row, i) => {
    try {
      return [toExample(row, i)];
    } catch (error) {
      if (!(error instanceof EqualOptionsError)) throw error;
      leftOut.push({ id: error.exampleId });
      return [];
    }
  });
  for (const notice of equalOptionsNotices(leftOut)) onNotice?.(notice);
  return examples;
}

/** The index of the option that a cell names: by its text, case aside if need be, else by its letter; -1 for none or several. */
export function writtenOption(written: string, choices: readonly string[]): number {
  const lower = written.toLowerCase();
  const exact = choices.flatMap((choice, i) => (choice === written ? [i] : []));
  const same = exact.length > 0 ? exact : choices.flatMap((choice, i) => (choice.toLowerCase() === lower ? [i] : []));
  if (same.length > 0) return same.length === 1 ? same[0]! : -1;
  const letter = /^[a-z]$/.test(lower) ? lower.charCodeAt(0) - 97 : -1;
  return letter < choices.length ? letter : -1;
}

/** "CLOSED", "Closed " and "closed" are closed; "OPEN" is open; anything else is the user's mistake. */
export function readAnswerType(value: string, where: string): AnswerType {
  const type = ANSWER_TYPES.find((one) => one === value.trim().toLowerCase());
  if (type !== undefined) return type;
  throw new UserError(`${where}: answer type must be closed, open, choice, multi or numeric, got "${value}"`);
}

/** Throws UserError when two examples share an id: runs, flips and paired tests go by it. */
export function requireUniqueIds(examples: readonly Example[], file: string): void {
  const seen = new Set<string>();
  for (const { id } of examples) {
    if (seen.has(id)) throw new UserError(`${file}: the id "${id}" occurs twice`);
    seen.add(id);
  }
}

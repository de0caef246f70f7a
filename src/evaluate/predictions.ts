/**
 * Reads answers generated elsewhere: JSONL rows {example_id, prediction}, where a prediction can be a list of answers.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";
import type { AnswerStyle } from "../answers/tags.ts";
import { messageOf, UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { didYouMean } from "../core/suggest.ts";
import type { Answers } from "./answers.ts";

const rowSchema = z.looseObject({
  kind: z.string().optional(),
  example_id: z.string(),
  prediction: z.union([z.string(), z.array(z.string()).min(1)]),
  /** All answers, if `viva eval` generated several. */
  predictions: z.array(z.string()).min(1).optional(),
  protocol: z.string().optional(),
});

/**
 * The answers of a file, in the examples' order; rows and examples must match one to one. Files written by `viva eval
 * --out` are accepted as well: summaries are skipped, and only one of several protocols is read.
 */
export function readPredictions(file: string, examples: readonly Example[], style: AnswerStyle): Answers {
  const known = new Set(examples.map(({ id }) => id));
  const byId = new Map<string, readonly string[]>();
  let protocol: string | undefined;
  for (const [i, line] of readLines(file).entries()) {
    if (line.trim() === "") continue;
    const where = `${file}:${i + 1}`;
    const row = readLine(line, where);
    if (row === null) continue;
    protocol ??= row.protocol;
    if (row.protocol !== protocol) continue;
    if (!known.has(row.example_id)) throw unknownExample(where, row.example_id, examples);
    if (byId.has(row.example_id)) throw new UserError(`${where}: the example_id "${row.example_id}" appears twice`);
    const { prediction, predictions = prediction } = row;
    byId.set(row.example_id, typeof predictions === "string" ? [predictions] : predictions);
  }
  const missing = examples.filter(({ id }) => !byId.has(id));
  if (missing.length > 0) {
    const first = missing.slice(0, 3).map(({ id }) => `"${id}"`);
    throw new UserError(
      `${file}: ${missing.length} of ${examples.length} questions have no prediction, the first ${first.join(", ")}: ` +
        "use an empty text for no answer",
    );
  }
  const predictions = examples.map(({ id }) => byId.get(id)!.map((text) => ({ text })));
  return { predictions, style, thinkOpened: false };
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8")
      .replace(/^\ufeff/, "")
      .split("\n");
  } catch (cause) {
    throw new UserError(`cannot read predictions ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** Null for a row of another kind, such as a summary. */
function readLine(line: string, where: string): z.output<typeof rowSchema> | null {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where}: not a JSON object: ${messageOf(cause)}`, { cause });
  }
  const kind = (json as { readonly kind?: unknown } | null)?.kind;
  if (kind !== undefined && kind !== "item") return null;
  const row = rowSchema.safeParse(json);
  if (row.success) return row.data;
  const issue = row.error.issues[0]!;
  const field = issue.path.length > 0 ? `field "${issue.path.join(".")}": ` : "";
  throw new UserError(`${where}: ${field}${issue.message}; a row is {"example_id": "…", "prediction": "…"}`);
}

function unknownExample(where: string, id: string, examples: readonly Example[]): UserError {
  const ids = examples.slice(0, 2000).map((example) => example.id);
  const hint = didYouMean(id, ids, `; ids look like "${examples[0]?.id}"`);
  return new UserError(`${where}: the data has no question with the example_id "${id}"${hint}`);
}

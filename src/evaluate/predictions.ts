/** Reads answers given elsewhere: JSONL rows {example_id, prediction}, where a prediction may be a list of answers. */
import * as z from "zod";
import { withoutSpecialTokens } from "../answers/special-tokens.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import { UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import type { Example } from "../core/records.ts";
import { didYouMean } from "../core/suggest.ts";
import { requireKnownFields } from "../data/index.ts";
import { readJsonLines } from "../io/json-lines.ts";
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
 * The answers of a file, in the examples' order; every example needs its row, and every row its example, once. Special
 * tokens at the end of an answer are left out. Files that `viva eval --out` wrote can be read as well: their summaries are
 * skipped, of several protocols one is read.
 */
export function readPredictions(file: string, examples: readonly Example[], style: AnswerStyle): Answers {
  const known = new Set(examples.map(({ id }) => id));
  const byId = new Map<string, readonly string[]>();
  let protocol: string | undefined;
  for (const { value, where } of readJsonLines(file, "predictions")) {
    const row = readLine(value, where);
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
  const predictions = examples.map(({ id }) => byId.get(id)!.map((text) => ({ text: withoutSpecialTokens(text) })));
  return { predictions, style, thinkOpened: false };
}

/** Null for a line of another kind, such as a summary. */
function readLine(value: unknown, where: string): z.output<typeof rowSchema> | null {
  const kind = (value as { readonly kind?: unknown } | null)?.kind;
  if (kind !== undefined && kind !== "item") return null;
  requireKnownFields(value, Object.keys(rowSchema.shape), where);
  const row = rowSchema.safeParse(value);
  if (row.success) return row.data;
  const { path, message } = problemOf(row.error.issues[0]!);
  const field = path.length > 0 ? `field "${path.join(".")}": ` : "";
  throw new UserError(`${where}: ${field}${message}; a row is {"example_id": "…", "prediction": "…"}`);
}

function unknownExample(where: string, id: string, examples: readonly Example[]): UserError {
  const ids = examples.slice(0, 2000).map((example) => example.id);
  const hint = didYouMean(id, ids, `; ids look like "${examples[0]?.id}"`);
  return new UserError(`${where}: the data has no question with the example_id "${id}"${hint}`);
}

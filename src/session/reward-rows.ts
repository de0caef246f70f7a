/**
 * Completions that another program sampled, as rows of columns: each becomes an example and a completion, as viva's own
 * rewards read them. What a row lacks or misspells is a UserError that names row and column.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { withoutSpecialTokens } from "../answers/special-tokens.ts";
import { UserError } from "../core/errors.ts";
import type { AnswerType, Completion, Example, ImageRef } from "../core/records.ts";
import { requireKnownFields } from "../data/field-names.ts";
import {
  cellText,
  choiceOf,
  factsCell,
  factsIn,
  mappingIn,
  readAnswerType,
  readRow,
  requireDifferentOptions,
  writtenOption,
} from "../data/rows.ts";
import { numericTarget, rightLetters } from "../data/targets.ts";

/** A row as it came, its images already read. */
export interface GivenRow {
  readonly columns: Readonly<Record<string, unknown>>;
  readonly images: readonly ImageRef[];
}

export interface RewardRow {
  readonly example: Example;
  readonly completion: Completion;
  /** Equal for completions of one question. */
  readonly group: string;
  /** Equal for rows that ask and expect the same. */
  readonly identity: string;
  /** Whether the row says which question it belongs to. */
  readonly isGrouped: boolean;
}

/** Counts the tokens of a completion that came without them. */
export interface RowTokens {
  encode(text: string): Int32Array;
  readonly stopTokenIds: readonly number[];
}

const cell = z.union([z.string(), z.number(), z.boolean()]);
const columns = z.looseObject({
  completion: z.string(),
  completion_ids: z.array(z.int().min(0)).optional(),
  finish_reason: z.enum(["stop", "length"]).optional(),
  reference: z.union([cell, z.looseObject({})]).optional(),
  answer: cell.optional(),
  answer_type: z.string().optional(),
  options: z.array(cell).optional(),
  choices: z.array(cell).optional(),
  question: z.string().optional(),
  rationale: z.string().optional(),
  facts: factsCell.optional(),
  id: z.union([z.string(), z.number()]).optional(),
  group: z.union([z.string(), z.number()]).optional(),
  meta: z.record(z.string(), cell).optional(),
});

type Columns = z.output<typeof columns>;

const known = Object.keys(columns.shape);

/**
 * Reads a row. Columns that are not known are passed over, unless their names look like one that the row lacks. `where` is what
 * errors call it.
 */
export function readRewardRow({ columns: given, images }: GivenRow, where: string, tokens: RowTokens): RewardRow {
  const row = readRow(columns, withReference(given, where), where);
  requireKnownFields(row, known, where);
  if (row.answer === undefined) {
    throw new UserError(`${where}: needs "answer", the reference answer, or "reference", which holds it`);
  }
  const asked = { ...questionOf(row, cellText(row.answer, "answer", where), where), images };
  const pictures = images.map(({ bytes = new Uint8Array() }) => createHash("sha256").update(bytes).digest("hex"));
  const { images: _, ...texts } = asked;
  const identity = JSON.stringify([texts, row.rationale, row.facts, row.meta, pictures]);
  const group = row.group ?? row.id ?? identity;
  return {
    example: {
      ...asked,
      id: String(row.id ?? where),
      subjectId: String(row.id ?? where),
      ...(row.rationale === undefined ? {} : { rationale: row.rationale }),
      ...(row.facts === undefined ? {} : { facts: factsIn(row.facts, where) }),
      meta: Object.fromEntries(Object.entries(row.meta ?? {}).map(([key, value]) => [key, String(value)])),
    },
    completion: completionOf(row, tokens),
    group: String(group),
    identity,
    isGrouped: (row.group ?? row.id) !== undefined,
  };
}

/** A reference that is a mapping, or the JSON of one, holds columns; any other is the answer. */
function withReference(given: GivenRow["columns"], where: string): GivenRow["columns"] {
  const row = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const { reference } = row;
  if (reference === undefined) return row;
  const held = typeof reference === "string" ? (mappingIn(reference) ?? { answer: reference }) : reference;
  const more = typeof held === "object" && held !== null ? (held as object) : { answer: held };
  const twice = Object.keys(more).find((key) => row[key] !== undefined);
  if (twice !== undefined) throw new UserError(`${where}: "${twice}" stands in the reference and beside it: keep one`);
  const known = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== null));
  return { ...row, ...known };
}

function questionOf(row: Columns, answer: string, where: string) {
  if (row.options !== undefined && row.choices !== undefined) {
    throw new UserError(`${where}: has both "options" and "choices": keep one`);
  }
  const question = row.question ?? "";
  const options = (row.options ?? row.choices ?? []).map((option) => cellText(option, "option", where));
  const type = answerTypeOf(row, answer, options, where);
  if (type === "numeric") {
    return { question, answer, answerType: type, choices: [], target: numericTarget(row, answer, where) };
  }
  if (type !== "choice" && type !== "multi") return { question, answer, answerType: type, choices: [] };
  if (options.length < 2) throw new UserError(`${where}: a ${type} question needs "options", two or more`);
  requireDifferentOptions(options, question, where);
  if (type === "multi") {
    return { question, answer: rightLetters(answer, options, where), answerType: type, choices: options };
  }
  const index = writtenOption(answer, options);
  if (index >= 0) return { question, ...choiceOf(options, index) };
  throw new UserError(`${where}: the answer must be one of the options, by its text or its letter`);
}

/** As written; else choice where there are options, closed where the answer is yes or no, open otherwise. */
function answerTypeOf(row: Columns, answer: string, options: readonly string[], where: string): AnswerType {
  if (row.answer_type !== undefined) return readAnswerType(row.answer_type, where);
  if (options.length > 0) return "choice";
  return /^(?:yes|no)\.?$/i.test(answer) ? "closed" : "open";
}

/** Log-probs are unknown here: NaN for each token. */
function completionOf({ completion, completion_ids, finish_reason = "stop" }: Columns, tokens: RowTokens): Completion {
  const text = withoutSpecialTokens(completion);
  let ids: Int32Array | null = completion_ids === undefined ? null : Int32Array.from(completion_ids);
  // Most rewards read no tokens, so that texts are only cut into them when one does.
  const tokenIds = () => (ids ??= tokensOf(text, finish_reason, tokens));
  return {
    get tokenIds() {
      return tokenIds();
    },
    get logProbs() {
      return new Float32Array(tokenIds().length).fill(Number.NaN);
    },
    text,
    finishReason: finish_reason,
    policyVersion: 0,
  };
}

function tokensOf(text: string, reason: Completion["finishReason"], { encode, stopTokenIds }: RowTokens): Int32Array {
  const ids = encode(text);
  return reason === "stop" ? Int32Array.from([...ids, stopTokenIds[0] ?? 0]) : ids;
}

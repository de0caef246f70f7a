/** Any folder of JSONL files (one per split, `train.jsonl`) or one JSONL file; image paths are relative to the file. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { AnswerType, Example, NumericTarget } from "../core/records.ts";
import { type JsonLine, readJsonLines } from "../io/json-lines.ts";
import { rowOfChat } from "./chat-rows.ts";
import { type Dataset, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { requireKnownFields } from "./field-names.ts";
import {
  cellText,
  choiceOf,
  readAnswerType,
  readRow,
  requireDifferentOptions,
  requireUniqueIds,
  writtenOption,
} from "./rows.ts";

const cell = z.union([z.string(), z.number(), z.boolean()]);

const rowSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  image: z.string().optional(),
  images: z.array(z.string()).optional(),
  question: z.string(),
  answer: cell,
  answer_type: z.string().optional(),
  choices: z.union([z.array(cell), z.record(z.string(), cell)]).optional(),
  rationale: z.string().optional(),
  subject: z.union([z.string(), z.number()]).optional(),
  split: z.string().optional(),
  meta: z.record(z.string(), cell).optional(),
});

type Row = z.infer<typeof rowSchema>;

export const jsonl: Dataset = {
  name: "jsonl",
  description:
    "your own data: one JSON object per line with image(s), question, answer, choices?, rationale?, subject?",
  licence: "yours",
  isOwn: true,
  obtain:
    'write a folder with train.jsonl, validation.jsonl, test.jsonl (or one file, with a field "split" or as the one ' +
    'split "all"), each line like {"image": "images/1.png", "question": "…", "answer": "…"}, and give it as path',

  async load(options) {
    const path = await requirePath(this, options.path);
    if (!(await stat(path)).isDirectory()) return subset(selectSplit(readFileRows(path), path, options), options);
    const names = (await readdir(path)).filter((name) => name.endsWith(".jsonl")).sort();
    requireOneFile(path, names);
    const files = Object.fromEntries(names.map((name) => [splitName(name.slice(0, -".jsonl".length)), name]));
    const split = splitName(options.split);
    const file = join(path, await splitFile(this, path, split, files));
    const examples = readFileRows(file);
    requireOwnSplit(examples, file, split);
    return subset(withSplit(examples, split), options);
  },
};

/** Two names of one split ("val", "validation") leave open which of the files is meant. */
function requireOneFile(folder: string, names: readonly string[]): void {
  const splits = names.map((name) => splitName(name.slice(0, -".jsonl".length)));
  const second = splits.findIndex((split, i) => splits.indexOf(split) < i);
  if (second < 0) return;
  const [split, first] = [splits[second]!, names[splits.indexOf(splits[second]!)]!];
  throw new UserError(
    `dataset "jsonl": ${first} and ${names[second]} in ${folder} are both the split "${split}": keep or merge into one`,
  );
}

/** A row may name its split beside the file, but no other one. */
function requireOwnSplit(examples: readonly Example[], file: string, split: string): void {
  const other = examples.find(({ meta }) => meta.split !== undefined && splitName(meta.split) !== split);
  if (other === undefined) return;
  throw new UserError(
    `${file}: "${other.id}" says split "${other.meta.split}", and the file is the split "${split}": mend one of the two`,
  );
}

/** The rows of a single file that belong to the split: by the field "split", else the whole file as "all". */
function selectSplit(examples: readonly Example[], file: string, { split }: { split?: string }): readonly Example[] {
  const splits = [...new Set(examples.map((example) => splitName(example.meta.split ?? "all")))];
  const wanted = split === undefined && splits.length === 1 ? splits[0]! : splitName(split);
  if (!splits.includes(wanted)) {
    throw new UserError(`dataset "jsonl": no split "${wanted}" in ${file}; the splits there are ${splits.join(", ")}`);
  }
  const chosen = examples.filter((example) => splitName(example.meta.split ?? "all") === wanted);
  return withSplit(chosen, wanted);
}

function withSplit(examples: readonly Example[], split: string): readonly Example[] {
  return examples.map((example) => ({ ...example, meta: { ...example.meta, split } }));
}

function readFileRows(file: string): readonly Example[] {
  const examples = readJsonLines(file, "questions").map((line) => toExample(line, file));
  if (examples.length === 0) throw new UserError(`${file}: there is no row in it`);
  requireUniqueIds(examples, file);
  return examples;
}

function toExample({ value, where, line }: JsonLine, file: string): Example {
  const given = rowOfChat(withoutNulls(value), where);
  requireKnownFields(given, Object.keys(rowSchema.shape), where);
  const row = readRow(rowSchema, given, where);
  const images = imagesOf(row, where);
  const choices = optionsOf(row.choices ?? [], where);
  const written = cellText(row.answer, "answer", where);
  const answerType = answerTypeOf(row, written, choices, where);
  const id = String(row.id ?? `${basename(file)}:${line}`);
  if (answerType === "choice" || answerType === "multi") requireDifferentOptions(choices, id, where);
  return {
    id,
    subjectId: String(row.subject ?? images[0]),
    question: cellText(row.question, "question", where),
    images: images.map((image) => ({ path: resolve(dirname(file), image) })),
    ...(answerType === "choice"
      ? choiceOf(choices, answerIndex(written, choices, where))
      : { answer: answerType === "multi" ? letters(written, choices, where) : written, answerType, choices }),
    ...(answerType === "numeric" ? { target: targetOf(row, written, where) } : {}),
    ...(row.rationale === undefined ? {} : { rationale: row.rationale }),
    meta: metaOf(row),
  };
}

/** A field that is null is absent; "answer": null lacks its answer. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

function imagesOf({ image, images }: Row, where: string): readonly string[] {
  if (image !== undefined && images !== undefined)
    throw new UserError(`${where}: has both "image" and "images": keep one`);
  const paths = images ?? (image === undefined ? [] : [image]);
  if (paths.length === 0) throw new UserError(`${where}: needs "image" or "images"`);
  if (paths.some((path) => path.trim() === "")) throw new UserError(`${where}: the path of an image is empty`);
  return paths;
}

/** As written; else choice where there are options, closed where the answer is yes or no, open otherwise. */
function answerTypeOf(row: Row, answer: string, choices: readonly string[], where: string): AnswerType {
  const type = row.answer_type === undefined ? null : readAnswerType(row.answer_type, where);
  if ((type === "choice" || type === "multi" || type === null) && choices.length > 0) {
    if (choices.length >= 2 && choices.length <= 26) return type ?? "choice";
    throw new UserError(`${where}: "choices" must hold 2 to 26 options, got ${choices.length}`);
  }
  if (type === "choice" || type === "multi") throw new UserError(`${where}: a ${type} question needs "choices"`);
  return type ?? (/^(?:yes|no)\.?$/i.test(answer) ? "closed" : "open");
}

/** The right options of a question that may have several, given as their letters or texts: "A,C". */
function letters(answer: string, choices: readonly string[], where: string): string {
  const whole = writtenOption(answer, choices);
  const indices = whole >= 0 ? [whole] : answer.split(/\s*[,;]\s*/).map((part) => answerIndex(part, choices, where));
  return [...new Set(indices)]
    .sort((a, b) => a - b)
    .map((index) => String.fromCharCode(65 + index))
    .join(",");
}

const targetFields = z.object({ tolerance: z.number().min(0).optional(), event: z.boolean().optional() });

/** The number of a numeric question with its unit ("24 mm"), and the row's `tolerance` and, of a survival time, `event`. */
function targetOf(row: Row, answer: string, where: string): NumericTarget {
  const read = /^(-?\d+(?:\.\d+)?)\s*(\S*)$/.exec(answer);
  if (read === null) throw new UserError(`${where}: the answer "${answer}" must be a number, or one with a unit`);
  const { tolerance, event } = readRow(targetFields, row, where);
  return {
    value: Number(read[1]),
    ...(read[2] === "" ? {} : { unit: read[2]! }),
    ...(tolerance === undefined ? {} : { tolerance }),
    ...(event === undefined ? {} : { event }),
  };
}

/** Options in order; of { A: …, B: … } by their letters, which must leave none out, for the prompt letters them anew. */
function optionsOf(given: NonNullable<Row["choices"]>, where: string): readonly string[] {
  const text = (choice: z.output<typeof cell>) => cellText(choice, "choice", where);
  if (Array.isArray(given)) return given.map(text);
  const letters = Object.keys(given).sort();
  const isWhole = letters.every((letter, i) => letter.trim().toUpperCase() === String.fromCharCode(65 + i));
  if (isWhole) return letters.map((letter) => text(given[letter]!));
  throw new UserError(`${where}: the letters of "choices" must be A, B, C, … without a gap, got ${letters.join(", ")}`);
}

/** The right option, for an answer given as its text or as its letter. */
function answerIndex(answer: string, choices: readonly string[], where: string): number {
  const index = writtenOption(answer, choices);
  if (index >= 0) return index;
  throw new UserError(`${where}: the answer "${answer}" must be one of the options: ${choices.join(" | ")}`);
}

/** "split", the fields of "meta", and every further field that holds a text, a number or true/false. */
function metaOf({ meta, ...row }: Row): Readonly<Record<string, string>> {
  const known = Object.keys(rowSchema.shape).filter((key) => key !== "split");
  const further = Object.entries(row).filter(([key, value]) => !known.includes(key) && cell.safeParse(value).success);
  return Object.fromEntries([...further, ...Object.entries(meta ?? {})].map(([key, value]) => [key, String(value)]));
}

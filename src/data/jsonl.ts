/** Any folder of JSONL files (one per split, `train.jsonl`) or one JSONL file; image paths are relative to the file. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { AnswerType, Example } from "../core/records.ts";
import { type Dataset, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { requireKnownFields } from "./field-names.ts";
import { type JsonLine, readJsonLines } from "./json-lines.ts";
import { cellText, readAnswerType, readRow, requireUniqueIds } from "./rows.ts";

const cell = z.union([z.string(), z.number(), z.boolean()]);

const rowSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  image: z.string().optional(),
  images: z.array(z.string()).optional(),
  question: z.string(),
  answer: cell,
  answer_type: z.string().optional(),
  choices: z.union([z.array(cell), z.record(z.string(), cell).transform(inOrder)]).optional(),
  rationale: z.string().optional(),
  subject: z.union([z.string(), z.number()]).optional(),
  split: z.string().optional(),
  meta: z.record(z.string(), cell).optional(),
});

/** Options given as { A: …, B: … }, by their letters. */
function inOrder(byLetter: Readonly<Record<string, string | number | boolean>>) {
  return Object.keys(byLetter)
    .sort()
    .map((letter) => byLetter[letter]!);
}

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
  const examples = readJsonLines(file).map((line) => toExample(line, file));
  if (examples.length === 0) throw new UserError(`${file}: there is no row in it`);
  requireUniqueIds(examples, file);
  return examples;
}

function toExample({ value, where, line }: JsonLine, file: string): Example {
  requireKnownFields(value, Object.keys(rowSchema.shape), where);
  const row = readRow(rowSchema, withoutNulls(value), where);
  const images = imagesOf(row, where);
  const choices = (row.choices ?? []).map((choice) => cellText(choice, "choice", where));
  const written = cellText(row.answer, "answer", where);
  const answerType = answerTypeOf(row, written, choices, where);
  const answer = answerType === "choice" ? optionText(written, choices, where) : written;
  return {
    id: String(row.id ?? `${basename(file)}:${line}`),
    subjectId: String(row.subject ?? images[0]),
    question: cellText(row.question, "question", where),
    images: images.map((image) => ({ path: resolve(dirname(file), image) })),
    answer,
    answerType,
    choices,
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
  if ((type === "choice" || type === null) && choices.length > 0) {
    if (choices.length >= 2 && choices.length <= 26) return "choice";
    throw new UserError(`${where}: "choices" must hold 2 to 26 options, got ${choices.length}`);
  }
  if (type === "choice") throw new UserError(`${where}: a choice question needs "choices"`);
  return type ?? (/^(?:yes|no)\.?$/i.test(answer) ? "closed" : "open");
}

/** The option's text, for an answer given as that text or as its letter. */
function optionText(answer: string, choices: readonly string[], where: string): string {
  const same = choices.filter((choice) => choice.toLowerCase() === answer.toLowerCase());
  if (same.length === 1) return same[0]!;
  const byLetter = /^[A-Za-z]$/.test(answer) ? choices[answer.toUpperCase().charCodeAt(0) - 65] : undefined;
  if (byLetter !== undefined && same.length === 0) return byLetter;
  throw new UserError(`${where}: the answer "${answer}" must be one of the options: ${choices.join(" | ")}`);
}

/** "split", the fields of "meta", and every further field that holds a text, a number or true/false. */
function metaOf({ meta, ...row }: Row): Readonly<Record<string, string>> {
  const known = Object.keys(rowSchema.shape).filter((key) => key !== "split");
  const further = Object.entries(row).filter(([key, value]) => !known.includes(key) && cell.safeParse(value).success);
  return Object.fromEntries([...further, ...Object.entries(meta ?? {})].map(([key, value]) => [key, String(value)]));
}

/** Rows of one's own data: their fields, and the examples that they make. */
import { resolve } from "node:path";
import { z } from "zod";
import { MissingSplit, UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import type { AnswerType, Example } from "../core/records.ts";
import { dicomAbout } from "../io/dicom-files.ts";
import { rowOfChat } from "./chat-rows.ts";
import { splitName } from "./dataset.ts";
import { requireKnownFields } from "./field-names.ts";
import {
  cellText,
  choiceOf,
  factsCell,
  factsIn,
  readAnswerType,
  readRow,
  requireDifferentOptions,
  requireUniqueIds,
  withoutLabels,
} from "./rows.ts";
import { answerIndex, numericTarget, rightLetters } from "./targets.ts";

const cell = z.union([z.string(), z.number(), z.boolean()]);

const rowSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  image: z.string().optional(),
  images: z.array(z.string()).optional(),
  question: z.string(),
  answer: cell,
  answer_type: z.string().optional(),
  choices: z
    .union([z.array(cell), z.record(z.string(), cell)], {
      error:
        'expected a list or a mapping of options; in a table the JSON of a list, as ["left", "right"], or a column for each option, A, B, …',
    })
    .optional(),
  rationale: z.string().optional(),
  subject: z.union([z.string(), z.number()]).optional(),
  split: z.string().optional(),
  facts: factsCell.optional(),
  table: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  meta: z.record(z.string(), cell).optional(),
});

type Row = z.infer<typeof rowSchema>;

/** A row as it was read, where it stands, its id if it gives itself none, and the folder that its image paths count from. */
export interface GivenRow {
  readonly value: unknown;
  readonly where: string;
  readonly id: string;
  readonly folder: string;
}

/** The examples of the rows of a file or a folder. Throws UserError naming the row. */
export async function examplesOf(rows: readonly GivenRow[], file: string): Promise<readonly Example[]> {
  const made = rows.map(toExample);
  requireUniqueIds(
    made.map(({ example }) => example),
    file,
  );
  const known = new Map<string, ReturnType<typeof dicomAbout>>();
  const about: typeof dicomAbout = (path) => {
    const asked = known.get(path) ?? dicomAbout(path);
    known.set(path, asked);
    return asked;
  };
  const examples: Example[] = [];
  for (const { example, namesSubject } of made) examples.push(await withDicom(example, namesSubject, about));
  return examples;
}

/** The examples of a split of rows that tell their splits themselves, by the field "split"; where none does, all are "all". */
export function ownSplit(
  examples: readonly Example[],
  split: string | undefined,
  { set, path }: { readonly set: string; readonly path: string },
): readonly Example[] {
  const splits = [...new Set(examples.map((example) => splitName(example.meta.split ?? "all")))];
  const without = splits.length > 1 ? examples.find((example) => example.meta.split === undefined) : undefined;
  if (without !== undefined) {
    throw new UserError(
      `dataset "${set}": "${without.id}" in ${path} has no field "split", which other rows have: give it one`,
    );
  }
  const wanted = split === undefined && splits.length === 1 ? splits[0]! : splitName(split);
  if (!splits.includes(wanted)) {
    throw new MissingSplit(
      `dataset "${set}": no split "${wanted}" in ${path}; the splits there are ${splits.join(", ")}`,
    );
  }
  const chosen = examples.filter((example) => splitName(example.meta.split ?? "all") === wanted);
  return withSplit(chosen, wanted);
}

/** Examples that say which split they are of. */
export function withSplit(examples: readonly Example[], split: string): readonly Example[] {
  return examples.map((example) => ({ ...example, meta: { ...example.meta, split } }));
}

/** A row's example as the row alone tells it. Throws UserError naming the row. */
export function toExample({ value, where, id, folder }: GivenRow): { example: Example; namesSubject: boolean } {
  const given = rowOfChat(withoutNulls(value), where);
  requireKnownFields(given, Object.keys(rowSchema.shape), where);
  const row = readRow(rowSchema, given, where);
  const images = imagesOf(row, where);
  const choices = optionsOf(row.choices ?? [], where);
  const written = cellText(row.answer, "answer", where);
  const answerType = answerTypeOf(row, written, choices, where);
  const exampleId = named(row.id ?? id, "id", where);
  const subject = row.subject === undefined ? undefined : named(row.subject, "subject", where);
  if (row.split !== undefined) named(row.split, "split", where);
  if (answerType === "choice" || answerType === "multi") requireDifferentOptions(choices, exampleId, where);
  const example: Example = {
    id: exampleId,
    subjectId: subject ?? imageFile(images[0]!).file, // slices of a volume are of one patient
    question: cellText(row.question, "question", where),
    images: images.map((image) => ({ path: resolve(folder, image) })),
    ...(answerType === "choice"
      ? choiceOf(choices, answerIndex(written, choices, where))
      : { answer: answerType === "multi" ? rightLetters(written, choices, where) : written, answerType, choices }),
    ...(answerType === "numeric" ? { target: numericTarget(row, written, where) } : {}),
    ...(row.rationale === undefined || row.rationale.trim() === "" ? {} : { rationale: row.rationale }),
    ...factsOf(row, where),
    meta: metaOf(row),
  };
  return { example, namesSubject: row.subject !== undefined };
}

/**
 * Examples of DICOM images as the files say where their rows do not: the subject is a keyed hash of the patient's id, and
 * `modality` a stratum.
 */
async function withDicom(example: Example, namesSubject: boolean, about: typeof dicomAbout): Promise<Example> {
  const known = await about(example.images[0]!.path);
  if (known === null) return example;
  const { subject, modality } = known;
  return {
    ...example,
    subjectId: namesSubject || subject === null ? example.subjectId : subject,
    meta: modality === null ? example.meta : { modality, ...example.meta },
  };
}

/** A trimmed name in one writing of its letters; two that differ in these alone would part what is one. */
function named(value: string | number, field: string, where: string): string {
  const name = String(value).normalize("NFC").trim();
  if (name === "") throw new UserError(`${where}: the ${field} is empty: fill it in, or leave the field out`);
  return name;
}

/** A field that is null is absent; "answer": null lacks its answer. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

function factsOf({ facts, table }: Row, where: string): Pick<Example, "facts"> {
  if (facts === undefined && table === undefined) return {};
  const known = facts === undefined ? {} : factsIn(facts, where);
  return { facts: { ...known, ...(table === undefined ? {} : { table }) } };
}

function imagesOf({ image, images }: Row, where: string): readonly string[] {
  if (image !== undefined && images !== undefined)
    throw new UserError(`${where}: has both "image" and "images": keep one`);
  const paths = images ?? (image === undefined ? [] : [image]);
  if (paths.length === 0) throw new UserError(`${where}: needs "image" or "images"`);
  for (const path of paths) requirePlainPath(path, where);
  return paths;
}

function requirePlainPath(path: string, where: string): void {
  if (path.trim() === "") throw new UserError(`${where}: the path of an image is empty`);
  if (/^data:|^[A-Za-z0-9+/=\s]{1000,}$/.test(path)) {
    throw new UserError(
      `${where}: the image is not a path but its content as base64: "viva data import" makes files of such images`,
    );
  }
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(path)) {
    throw new UserError(
      `${where}: "${path}" is an address, not a path, and nothing is downloaded: get the image first`,
    );
  }
}

/** As written; else choice where there are options, closed where the answer is yes or no (true, false), open otherwise. */
function answerTypeOf(row: Row, answer: string, choices: readonly string[], where: string): AnswerType {
  const type = row.answer_type === undefined ? null : readAnswerType(row.answer_type, where);
  if ((type === "choice" || type === "multi" || type === null) && choices.length > 0) {
    if (choices.length >= 2 && choices.length <= 26) return type ?? "choice";
    throw new UserError(`${where}: "choices" must hold 2 to 26 options, got ${choices.length}`);
  }
  if (type === "choice" || type === "multi") throw new UserError(`${where}: a ${type} question needs "choices"`);
  return type ?? (/^(?:yes|no|true|false)\.?$/i.test(answer) ? "closed" : "open");
}

/** Options in order; of { A: …, B: … } by their letters, which must leave none out, for the prompt letters them anew. */
function optionsOf(given: NonNullable<Row["choices"]>, where: string): readonly string[] {
  const text = (choice: z.output<typeof cell>) => cellText(choice, "choice", where);
  if (Array.isArray(given)) return withoutLabels(given.map(text), where);
  const letters = Object.keys(given).sort();
  const isWhole = letters.every((letter, i) => letter.trim().toUpperCase() === String.fromCharCode(65 + i));
  if (isWhole)
    return withoutLabels(
      letters.map((letter) => text(given[letter]!)),
      where,
    );
  throw new UserError(`${where}: the letters of "choices" must be A, B, C, … without a gap, got ${letters.join(", ")}`);
}

/** "split", the fields of "meta", and every further field that holds a text, a number or true/false. */
function metaOf({ meta, ...row }: Row): Readonly<Record<string, string>> {
  const known = Object.keys(rowSchema.shape).filter((key) => key !== "split");
  const further = Object.entries(row).filter(
    ([key, value]) => key.trim() !== "" && !known.includes(key) && cell.safeParse(value).success,
  );
  const texts = [...further, ...Object.entries(meta ?? {})].map(([key, value]) => [key, String(value)] as const);
  return Object.fromEntries(texts.map(([key, value]) => [key, key === "split" ? value.trim() : value]));
}

/**
 * What people say of completions: one append-only file per annotator in the run's folder, flushed line by line. The last line
 * of an annotator about a completion counts, and withdrawing is a line like any other.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { openJsonl } from "../runs/jsonl.ts";
import { recordsIn } from "./lines.ts";

/** The folder of a run's annotations. */
export function annotationsFolder(folder: string): string {
  return join(folder, "annotations");
}

/** Names annotators may give themselves: they become file names. */
export const annotatorName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "letters, digits and dashes, at most 40");

export const markSchema = z.strictObject({
  answer: z.enum(["right", "wrong", "unsure"]).nullable(),
  rationale: z.enum(["sound", "flawed", "none"]).nullable(),
  unsafe: z.boolean(),
  spans: z
    .array(
      z.strictObject({
        start: z.int().min(0),
        end: z.int().min(1),
        label: z.enum(["false_claim", "true_claim", "unclear"]),
        concept: z.string().max(80).optional(),
      }),
    )
    .max(50),
  /** Another completion of the group that this one is better than. */
  better_than: z.int().min(0).nullable(),
  note: z.string().max(2000),
  seconds: z.number().min(0).max(86_400),
});
export type Mark = z.output<typeof markSchema>;

/** A line of an annotator's file. */
export const annotationSchema = markSchema.extend({
  v: z.literal(1),
  id: z.string(),
  /** UTC, ISO 8601. */
  at: z.string(),
  by: annotatorName,
  blind: z.boolean(),
  run: z.string(),
  /** "step/group". */
  row: z.string(),
  completion: z.int().min(0),
  text_sha256: z.string(),
  /** Shown a second time, to see whether the annotator agrees with themselves. */
  repeat: z.boolean(),
  withdrawn: z.boolean(),
});
export type Annotation = z.output<typeof annotationSchema>;

/** What an annotation is about. */
export interface Target {
  readonly run: string;
  readonly row: string;
  readonly completion: number;
  readonly text: string;
  readonly repeat: boolean;
}

/** Appends a line and flushes it; the folder is made where there is none. */
export function annotate(
  folder: string,
  by: string,
  target: Target,
  mark: Mark,
  o: { readonly blind: boolean; readonly withdrawn: boolean },
): Annotation {
  const { text, ...about } = target;
  const line: Annotation = {
    ...{ v: 1, id: randomUUID(), at: new Date().toISOString(), by, ...o, ...about },
    text_sha256: textHash(text),
    ...mark,
  };
  appendFlushed(folder, annotatorName.parse(by), line);
  return line;
}

/** Appends a line to a file of the folder, which is made where there is none, and flushes it. */
export function appendFlushed(folder: string, name: string, line: object): void {
  mkdirSync(folder, { recursive: true });
  const stream = openJsonl(join(folder, `${name}.jsonl`));
  try {
    stream.append(line);
    stream.sync();
  } finally {
    stream.close();
  }
}

/** What counts now: the last line per annotator, completion and showing, without what was withdrawn. Other lines are passed over. */
export function readAnnotations(folder: string): readonly Annotation[] {
  const last = new Map<string, Annotation>();
  for (const name of annotatorsIn(folder)) {
    for (const record of recordsIn(join(folder, name))) {
      const { success, data } = annotationSchema.safeParse(record);
      if (success) last.set(JSON.stringify([data.by, data.row, data.completion, data.repeat]), data);
    }
  }
  return [...last.values()].filter(({ withdrawn }) => !withdrawn);
}

export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function annotatorsIn(folder: string): readonly string[] {
  try {
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    return files
      .map(({ name }) => name)
      .filter((name) => name.endsWith(".jsonl"))
      .sort();
  } catch {
    return [];
  }
}

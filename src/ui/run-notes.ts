/**
 * What people say of a run as a whole, and who said it when: its tags, and that an alarm was seen to. Lines of one file beside
 * the marks, whose name no annotator can have; the last line on a matter counts, and null takes back what was said.
 */
import { join } from "node:path";
import * as z from "zod";
import { annotationsFolder, annotatorName, appendFlushed } from "./annotations.ts";
import { recordsIn } from "./lines.ts";

export interface RunNote {
  /** May be empty. */
  readonly note: string;
  readonly by: string;
  /** UTC, ISO 8601. */
  readonly at: string;
}

/** By matter (matters.ts). */
export type RunNotes = Readonly<Record<string, RunNote>>;

export const runNoteSchema = z.strictObject({
  about: z.string().regex(/^(tag [^\s"]{1,40}|alarm .{1,200})$/, "a tag without spaces, or an alarm"),
  note: z.string().max(2000).nullable(),
  by: annotatorName,
});
const lineSchema = runNoteSchema.extend({ v: z.literal(1), at: z.iso.datetime() });

const NAME = "_run";

export function notesFile(folder: string): string {
  return join(annotationsFolder(folder), `${NAME}.jsonl`);
}

export function readNotes(folder: string): RunNotes {
  const last = new Map<string, z.output<typeof lineSchema>>();
  for (const record of recordsIn(notesFile(folder))) {
    const { success, data } = lineSchema.safeParse(record);
    if (success) last.set(data.about, data);
  }
  return Object.fromEntries(
    [...last].flatMap(([about, { note, by, at }]) => (note === null ? [] : [[about, { note, by, at }] as const])),
  );
}

export function noteRun(folder: string, said: z.output<typeof runNoteSchema>): void {
  appendFlushed(annotationsFolder(folder), NAME, { v: 1, at: new Date().toISOString(), ...said });
}

/**
 * What people say of a run as a whole: its tags, and that an alarm was seen to. Lines of one file beside the marks, whose name
 * no annotator can have; the last line on a matter counts, and null takes back what was said.
 */
import { join } from "node:path";
import * as z from "zod";
import { annotationsFolder, appendFlushed } from "./annotations.ts";
import { recordsIn } from "./lines.ts";

/** By matter (matters.ts). */
export type RunNotes = Readonly<Record<string, string>>;

export const runNoteSchema = z.strictObject({
  about: z.string().regex(/^(tag [^\s"]{1,40}|alarm .{1,200})$/, "a tag without spaces, or an alarm"),
  note: z.string().max(2000).nullable(),
});

const NAME = "_run";

export function notesFile(folder: string): string {
  return join(annotationsFolder(folder), `${NAME}.jsonl`);
}

export function readNotes(folder: string): RunNotes {
  const last = new Map<string, string | null>();
  for (const { about, note } of recordsIn(notesFile(folder))) {
    const { success, data } = runNoteSchema.safeParse({ about, note });
    if (success) last.set(data.about, data.note);
  }
  return Object.fromEntries([...last].flatMap(([about, note]) => (note === null ? [] : [[about, note] as const])));
}

export function noteRun(folder: string, { about, note }: z.output<typeof runNoteSchema>): void {
  appendFlushed(annotationsFolder(folder), NAME, { v: 1, at: new Date().toISOString(), about, note });
}

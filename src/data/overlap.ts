/** Subjects and images that evaluation data share with what a model was trained on: their answers may be remembered. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { Example } from "../core/records.ts";

/** What is shared, counted in the judged examples. */
export interface Overlap {
  readonly subjects: number;
  readonly questions: number;
  /** All that were judged. */
  readonly of: number;
  /** The first shared subjects. */
  readonly first: readonly string[];
}

/** Shown of many. */
const FIRST = 10;

/** What `judged` shares with `seen` by subject or image file; null for nothing. */
export function overlapOf(seen: readonly Example[], judged: readonly Example[]): Overlap | null {
  const shared = judged.filter(isSeen(seen));
  if (shared.length === 0) return null;
  const subjects = [...new Set(shared.map(({ subjectId }) => subjectId))];
  return { subjects: subjects.length, questions: shared.length, of: judged.length, first: subjects.slice(0, FIRST) };
}

/** Whether an example's subject or one of its images is among those of other examples. */
export function isSeen(seen: readonly Example[]): (example: Example) => boolean {
  const subjects = new Set(seen.map(subjectOf));
  const images = new Set(seen.flatMap(imagesOf));
  return (example) => subjects.has(subjectOf(example)) || imagesOf(example).some((path) => images.has(path));
}

/** "2 subjects (p1, p2), which 5 of 20 questions are about". */
export function describeOverlap({ subjects, questions, of, first }: Overlap): string {
  const named = first.join(", ") + (subjects > first.length ? ", …" : "");
  return `${subjects} subject${subjects === 1 ? "" : "s"} (${named}), which ${questions} of ${of} questions are about`;
}

/** Without a subject of its own an example's is its image as written, which means another file in another folder. */
function subjectOf({ subjectId, images }: Example): string {
  const [first] = images;
  const isImage = first !== undefined && !("pixels" in first) && resolve(first.path).endsWith(plain(subjectId));
  return isImage ? resolve(first.path) : subjectId;
}

const imagesOf = ({ images }: Example) => images.map((image) => ("pixels" in image ? image.path : fileOf(image.path)));

/** The file that a link leads to. */
function fileOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path); // a frame of a file, or none
  }
}

const plain = (path: string) => `/${path.replace(/^(\.{0,2}[\\/])+/, "")}`;

/** Subjects and images that evaluation data share with what a model was trained on: their answers may be remembered. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { Example } from "../core/records.ts";
import type { Copies } from "./copies.ts";

/** What is shared, counted in the judged examples. */
export interface Overlap {
  readonly subjects: number;
  readonly questions: number;
  /** All that were judged. */
  readonly of: number;
  /** The first shared subjects. */
  readonly first: readonly string[];
  /** Images that have the pixels of a seen one under another name, with the first of them; absent for none. */
  readonly copies?: { readonly images: number; readonly judged: string; readonly seen: string } | undefined;
}

/** Shown of many. */
const FIRST = 10;

const NONE: Copies = new Map();

/** What `judged` shares with `seen` by subject, image file or an image's pixels (`copiedImages`); null for nothing. */
export function overlapOf(seen: readonly Example[], judged: readonly Example[], copies = NONE): Overlap | null {
  const shared = judged.filter(isSeen(seen, copies));
  if (shared.length === 0) return null;
  const subjects = [...new Set(shared.map(({ subjectId }) => subjectId))];
  const paths = new Set(shared.flatMap(({ images }) => images.map(({ path }) => path)));
  const [first] = [...copies].filter(([path]) => paths.has(path));
  return {
    ...{ subjects: subjects.length, questions: shared.length, of: judged.length, first: subjects.slice(0, FIRST) },
    ...(first === undefined ? {} : { copies: { images: copies.size, judged: first[0], seen: first[1] } }),
  };
}

/** Whether an example's subject or one of its images is among those of other examples. */
export function isSeen(seen: readonly Example[], copies = NONE): (example: Example) => boolean {
  const subjects = new Set(seen.map(subjectOf));
  const images = new Set(seen.flatMap(imagesOf));
  return (example) =>
    subjects.has(subjectOf(example)) ||
    imagesOf(example).some((path) => images.has(path)) ||
    example.images.some(({ path }) => copies.has(path));
}

/** "2 subjects (p1, p2), which 5 of 20 questions are about; a.png has the pixels of b.png". */
export function describeOverlap({ subjects, questions, of, first, copies }: Overlap): string {
  const named = first.join(", ") + (subjects > first.length ? ", …" : "");
  const more = copies === undefined || copies.images === 1 ? "" : ` and so on, ${copies.images} such images`;
  const copied = copies === undefined ? "" : `; ${copies.judged} has the pixels of ${copies.seen}${more}`;
  return `${subjects} subject${subjects === 1 ? "" : "s"} (${named}), which ${questions} of ${of} questions are about${copied}`;
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

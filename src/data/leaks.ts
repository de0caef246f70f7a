/** What splits share: subjects, images by name, by content and by looks, and whole (image, question) pairs. */
import { UserError } from "../core/errors.ts";
import { questionWords } from "../core/question-words.ts";
import type { Example, ImageRef } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { hashDistance, type PerceptualHash, perceptualHash, SAME_LOOKS } from "../io/perceptual-hash.ts";
import { type Dataset, type LoadOptions, splitName } from "./dataset.ts";

/** What is shared between two splits; the counts are of the second split, which is judged by what the first shows. */
export interface Leaks {
  readonly between: readonly [seen: string, judged: string];
  readonly subjects: number;
  /** Images of the judged split, and those of them that are also in the other: the same file, or the same to look at. */
  readonly images: number;
  readonly sameFile: number;
  readonly sameLooks: number;
  /** Questions about such an image that the other split asks word for word about it, case aside. */
  readonly pairs: number;
  /** A few image files that look alike, of the seen and of the judged split. */
  readonly examples: readonly (readonly [string, string])[];
}

/** An image's content: the file's hash and what it looks like. */
export interface ImagePrint {
  readonly sha256: string;
  readonly looks: PerceptualHash;
}

/** The splits of a data set that are there, by name, or one alone; throws where there is none. */
export async function loadSplits(
  dataset: Dataset,
  { only, ...options }: LoadOptions & { readonly only?: string },
): Promise<ReadonlyMap<string, readonly Example[]>> {
  if (only !== undefined) return new Map([[splitName(only), await dataset.load({ ...options, split: only })]]);
  const splits = new Map<string, readonly Example[]>();
  let problem: UserError | null = null;
  for (const split of ["train", "validation", "test", "all"]) {
    const examples = await dataset.load({ ...options, split }).catch((error: unknown) => {
      if (!(error instanceof UserError && /no split "/.test(error.message))) throw error;
      problem ??= error;
      return null;
    });
    if (examples !== null) splits.set(split, examples);
  }
  if (splits.size === 0 && problem !== null) throw problem;
  return splits;
}

/** The content of every image, by path; images that cannot be read are left out. */
export async function imagePrints(examples: readonly Example[]): Promise<ReadonlyMap<string, ImagePrint>> {
  const prints = new Map<string, ImagePrint>();
  const images = new Map(examples.flatMap((example) => example.images.map((image) => [image.path, image] as const)));
  for (const [path, image] of images) {
    const print = await printOf(image).catch((error: unknown) => {
      if (error instanceof UserError) return null;
      throw error;
    });
    if (print !== null) prints.set(path, print);
  }
  return prints;
}

/** Compares every two splits, the earlier one as seen. */
export function leaksBetween(
  splits: ReadonlyMap<string, readonly Example[]>,
  prints: ReadonlyMap<string, ImagePrint>,
): readonly Leaks[] {
  const names = [...splits.keys()];
  return names.flatMap((judged, j) =>
    names.slice(0, j).map((seen) => compare([seen, judged], [splits.get(seen)!, splits.get(judged)!], prints)),
  );
}

function compare(
  between: readonly [string, string],
  [seen, judged]: readonly [readonly Example[], readonly Example[]],
  prints: ReadonlyMap<string, ImagePrint>,
): Leaks {
  const subjects = new Set(seen.map(({ subjectId }) => subjectId));
  const seenPaths = [...new Set(seen.flatMap(({ images }) => images.map(({ path }) => path)))];
  const judgedPaths = [...new Set(judged.flatMap(({ images }) => images.map(({ path }) => path)))];
  const alike = new Map(judgedPaths.map((path) => [path, seenPaths.filter((other) => sameImage(prints, path, other))]));
  const sameFile = judgedPaths.filter((path) => alike.get(path)!.some((other) => sameContent(prints, path, other)));
  const asked = new Set(seen.flatMap(({ images, question }) => images.map(({ path }) => pairKey(path, question))));
  const pairs = judged.filter(({ images, question }) =>
    images.some(({ path }) => alike.get(path)!.some((other) => asked.has(pairKey(other, question)))),
  );
  const leaking = [...alike].filter(([, others]) => others.length > 0);
  return {
    between,
    subjects: new Set(judged.map(({ subjectId }) => subjectId).filter((id) => subjects.has(id))).size,
    images: judgedPaths.length,
    sameFile: sameFile.length,
    sameLooks: leaking.length,
    pairs: pairs.length,
    examples: leaking.slice(0, 5).map(([path, others]) => [others[0]!, path] as const),
  };
}

function sameContent(prints: ReadonlyMap<string, ImagePrint>, a: string, b: string): boolean {
  return a === b || (prints.has(a) && prints.get(a)!.sha256 === prints.get(b)?.sha256);
}

/** The same path, the same file, or the same to look at. */
export function sameImage(prints: ReadonlyMap<string, ImagePrint>, a: string, b: string): boolean {
  if (sameContent(prints, a, b)) return true;
  const [one, other] = [prints.get(a), prints.get(b)];
  return one !== undefined && other !== undefined && hashDistance(one.looks, other.looks) <= SAME_LOOKS;
}

async function printOf(image: ImageRef): Promise<ImagePrint> {
  const { sha256 } = await decodeImage(image);
  return { sha256, looks: await perceptualHash(image) };
}

function pairKey(path: string, question: string): string {
  return `${path}\n${questionWords(question)}`;
}

/** A line for every two splits. */
export function formatLeaks(leaks: readonly Leaks[]): string {
  return leaks
    .map(({ between: [seen, judged], subjects, images, sameFile, sameLooks, pairs, examples }) => {
      const line =
        `${judged} shares with ${seen}: ${subjects} subjects; of its ${images} images ${sameFile} the same file and ` +
        `${sameLooks} the same or alike to look at; ${pairs} questions asked word for word about such an image`;
      return [line, ...examples.map(([one, other]) => `  alike: ${one} (${seen}), ${other} (${judged})`)].join("\n");
    })
    .join("\n");
}

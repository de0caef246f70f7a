/** Images that lie in two sets under different names: what a model was trained on is no test, whatever its file is called. */
import type { Example, ImageRef } from "../core/records.ts";
import { pixelPrint, quickPrint } from "../io/image-print.ts";

/** By the path of an image of the judged examples, the path of the seen one whose pixels it has. */
export type Copies = ReadonlyMap<string, string>;

/** Files that are read at the same time. */
const CHUNK = 16;

/**
 * Images of `judged` with the pixels of an image of `seen`, byte for byte the same file or not. All files are looked at for
 * a quick print, and decoded only where it is in both sets. Images that are the same path, that come as pixels or that cannot be
 * read are left out.
 */
export async function copiedImages(
  seen: readonly Example[],
  judged: readonly Example[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Copies> {
  const there = filesOf(seen);
  const asked = new Map([...filesOf(judged)].filter(([path]) => !there.has(path)));
  const total = asked.size + there.size;
  if (asked.size === 0 || there.size === 0) return new Map();
  const quick = await prints(asked.values(), quickPrint, (done) => onProgress(done, total));
  const others = await prints(there.values(), quickPrint, (done) => onProgress(asked.size + done, total));
  onProgress(total, total);
  const alike = sharedValues(quick, others);
  const chosen = (files: ReadonlyMap<string, ImageRef>, own: ReadonlyMap<string, string>) =>
    [...files.values()].filter(({ path }) => alike.has(own.get(path) ?? ""));
  const bySeen = new Map<string, string>();
  for (const [path, print] of await prints(chosen(there, others), pixelPrint)) bySeen.set(print, path);
  const found = await prints(chosen(asked, quick), pixelPrint);
  return new Map([...found].flatMap(([path, print]) => (bySeen.has(print) ? [[path, bySeen.get(print)!]] : [])));
}

function filesOf(examples: readonly Example[]): ReadonlyMap<string, ImageRef> {
  const images = examples.flatMap((example) => example.images);
  return new Map(images.flatMap((image) => ("pixels" in image ? [] : [[image.path, image] as const])));
}

/** Prints by path, in the order of the images, whichever was read first. */
async function prints(
  images: Iterable<ImageRef>,
  printOf: (image: ImageRef) => Promise<string>,
  onDone: (done: number) => void = () => {},
): Promise<ReadonlyMap<string, string>> {
  const all = [...images];
  const found = new Map<string, string>();
  for (let start = 0; start < all.length; start += CHUNK) {
    const chunk = all.slice(start, start + CHUNK);
    // Whether an image can be read is told where it is needed.
    const read = await Promise.all(chunk.map((image) => printOf(image).catch(() => null)));
    for (const [i, print] of read.entries()) if (print !== null) found.set(chunk[i]!.path, print);
    onDone(Math.min(all.length, start + CHUNK));
  }
  return found;
}

function sharedValues(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): ReadonlySet<string> {
  const others = new Set(b.values());
  return new Set([...a.values()].filter((value) => others.has(value)));
}

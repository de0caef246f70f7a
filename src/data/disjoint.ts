/** Splits a data set anew so that no image, nor one that looks the same, is in two splits; sizes stay about as they were. */
import { UserError } from "../core/errors.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { type Dataset, type LoadOptions, splitName, subset } from "./dataset.ts";
import { type ImagePrint, imagePrints, loadSplits, sameImage } from "./leaks.ts";

/**
 * The examples of the new split of that name. All examples of all splits that share a subject or an image go together;
 * these groups are dealt in an order that a fixed seed shuffles, each to the split that is furthest below its old size, so
 * the same files always give the same splits. Ids stay; `meta.split` is the new split, `meta.original_split` the old one.
 */
export async function disjointSplit(dataset: Dataset, options: LoadOptions): Promise<readonly Example[]> {
  const { limit: _, ...all } = options;
  const splits = await loadSplits(dataset, all);
  const wanted = splitName(options.split);
  if (!splits.has(wanted) || splits.size < 2) {
    throw new UserError(
      `dataset "${dataset.name}": an image-disjoint split "${wanted}" needs that split and another; there are ` +
        ([...splits.keys()].join(", ") || "none"),
    );
  }
  const examples = [...splits.values()].flat();
  const dealt = deal(groupsOf(examples, await imagePrints(examples)), splits);
  return subset(
    dealt.get(wanted)!.map((example) => {
      const { split: original_split = "", ...meta } = example.meta;
      return { ...example, meta: { ...meta, split: wanted, original_split } };
    }),
    options,
  );
}

/** Examples joined by subjects and images: what may not be parted. */
export function groupsOf(
  examples: readonly Example[],
  prints: ReadonlyMap<string, ImagePrint>,
): readonly (readonly Example[])[] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    while (parents.has(root) && parents.get(root) !== root) root = parents.get(root)!;
    parents.set(key, root);
    return root;
  };
  const join = (a: string, b: string) => parents.set(rootOf(a), rootOf(b));
  const paths = [...new Set(examples.flatMap(({ images }) => images.map(({ path }) => path)))];
  for (const { subjectId, images } of examples)
    for (const { path } of images) join(`image ${path}`, `subject ${subjectId}`);
  for (const [i, path] of paths.entries()) {
    for (const other of paths.slice(0, i)) if (sameImage(prints, path, other)) join(`image ${path}`, `image ${other}`);
  }
  const groups = new Map<string, Example[]>();
  for (const example of examples) {
    const root = rootOf(`subject ${example.subjectId}`);
    groups.set(root, [...(groups.get(root) ?? []), example]);
  }
  return [...groups.values()];
}

function deal(groups: readonly (readonly Example[])[], splits: ReadonlyMap<string, readonly Example[]>) {
  const dealt = new Map([...splits.keys()].map((name) => [name, [] as Example[]]));
  for (const g of permutation(randomKey(0, "image-disjoint"), groups.length)) {
    const missing = (name: string) => 1 - dealt.get(name)!.length / splits.get(name)!.length;
    const neediest = [...dealt.keys()].reduce((best, name) => (missing(name) > missing(best) ? name : best));
    dealt.get(neediest)!.push(...groups[g]!);
  }
  return dealt;
}

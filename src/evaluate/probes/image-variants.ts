/** Questions with changed images: blank, another subject's, or perturbed; shared by probes and baselines. */
import { integer, randomKey } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import { blankImage, type ImageChange } from "../../data/changed-images.ts";
import type { Variant } from "./probe.ts";

/** A variant that changes all images of the questions. */
export function changedImages(name: string, change: ImageChange): Variant {
  return {
    name,
    change: async (example) => ({ ...example, images: await Promise.all(example.images.map(change)) }),
  };
}

export const blank: Variant = changedImages("blank image", blankImage);

/**
 * Each question with images of another subject, chosen at random among those with as many images and the same modality,
 * if the data names it, else among all other subjects. Questions without a candidate are skipped.
 */
export function wrongImage(examples: readonly Example[], seed: number): Variant {
  const alike = new Map<string, Example[]>();
  const all = new Map<string, Example>();
  for (const example of examples) {
    const name = imagesName(example);
    if (name === "" || all.has(name)) continue;
    all.set(name, example);
    const group = alike.get(groupOf(example)) ?? [];
    alike.set(groupOf(example), group);
    group.push(example);
  }
  const donors = examples.map((example, i) => {
    const key = randomKey(seed, "wrong image", i);
    const isOther = (other: Example) =>
      other.subjectId !== example.subjectId && imagesName(other) !== imagesName(example);
    const draw = (from: readonly Example[]) => {
      const first = from.length === 0 ? 0 : integer(key, 0, from.length);
      return [...from.slice(first), ...from.slice(0, first)].find(isOther);
    };
    if (imagesName(example) === "") return undefined;
    return draw(alike.get(groupOf(example)) ?? []) ?? draw([...all.values()]);
  });
  return {
    name: "wrong image",
    rows: examples.flatMap((_, i) => (donors[i] === undefined ? [] : [i])),
    change: (example, index) => ({ ...example, images: donors[index]!.images }),
  };
}

function groupOf({ images, meta }: Example): string {
  return `${images.length} ${(meta.modality ?? "").toLowerCase()}`;
}

function imagesName({ images }: Example): string {
  return images.map(({ path }) => path).join("\n");
}

/** Why image probes do not apply; null if they do. */
export function lacksImages(examples: readonly Example[]): string | null {
  return examples.every(({ images }) => images.length === 0) ? "no question has an image" : null;
}

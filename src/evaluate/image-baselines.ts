/** Baselines that ask the model itself with an uninformative image, to show what it answers from the question alone. */
import { UserError } from "../core/errors.ts";
import type { Example, ImageRef } from "../core/records.ts";
import { blankImage } from "../data/changed-images.ts";
import type { ImageBaselineName } from "./names.ts";
import { lacksImages, wrongImage } from "./probes/image-variants.ts";

/** Returns the examples as the baseline asks them; repeated images are changed once. */
type ImageBaseline = (examples: readonly Example[], seed: number) => Promise<readonly Example[]>;

async function blanked(examples: readonly Example[]): Promise<readonly Example[]> {
  const known = new Map<string, Promise<ImageRef>>();
  const blank = (image: ImageRef) => {
    const made = known.get(image.path) ?? blankImage(image);
    known.set(image.path, made);
    return made;
  };
  const changed: Example[] = [];
  for (const example of examples) {
    changed.push({ ...example, images: await Promise.all(example.images.map(blank)) }); // one at a time: bounds memory
  }
  return changed;
}

/** If no other subject has a suitable image, a question gets a blank one. */
async function wrong(examples: readonly Example[], seed: number): Promise<readonly Example[]> {
  const { rows, change } = wrongImage(examples, seed);
  const others = new Set(rows);
  const alone = await blanked(examples.filter((_, i) => !others.has(i)));
  let next = 0;
  return Promise.all(examples.map((example, i) => (others.has(i) ? change!(example, i) : alone[next++]!)));
}

export const imageBaselines = { blank_image: blanked, wrong_image: wrong } as const satisfies Readonly<
  Record<ImageBaselineName, ImageBaseline>
>;

/** The examples as a baseline asks them; throws UserError if none has an image. */
export async function withBaselineImages(
  name: ImageBaselineName,
  examples: readonly Example[],
  seed: number,
): Promise<readonly Example[]> {
  const none = lacksImages(examples);
  if (none !== null) throw new UserError(`--baseline ${name}: ${none}`);
  return imageBaselines[name](examples, seed);
}

/** Images that no longer show what was asked about, for pairs in which the image decides (mDPO, arXiv 2406.11839); sizes stay. */
import { UserError } from "../core/errors.ts";
import { integer, type RandomKey, uniform } from "../core/random.ts";
import type { Example, ImageRef, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { resizeBicubic } from "../io/resize.ts";
import { blankImage } from "./changed-images.ts";

/** One example's images made useless; `others` are those that an image may come from. The same key gives the same. */
export type ImageCorruption = (
  example: Example,
  key: RandomKey,
  others: readonly Example[],
) => Promise<readonly ImageRef[]>;

/** By the name that recipes give it. */
export const imageCorruptions: Readonly<Record<"crop" | "blank" | "swap", ImageCorruption>> = {
  crop: async ({ images }, key) => Promise.all(images.map((image, i) => smallCrop(image, key, i))),
  blank: async ({ images }) => Promise.all(images.map(blankImage)),
  swap: async (example, key, others) => otherImages(example, key, others),
};
export type ImageCorruptionName = keyof typeof imageCorruptions;

/** Of torchvision's RandomResizedCrop as the public code calls it. */
const AREA = [0.01, 0.2] as const;
const RATIO = [3 / 4, 4 / 3] as const;
const TRIES = 10;
/** Random numbers that one image may take. */
const DRAWS = 4 * TRIES;

/** A box of 1 to 20 % of the area, scaled up to the image's size. */
async function smallCrop(ref: ImageRef, key: RandomKey, which: number): Promise<ImageRef> {
  const { image } = await decodeImage(ref);
  const box = cropBox(image, key, which * DRAWS);
  const cut = resizeBicubic(cutOut(image, box), image.width, image.height);
  return { path: `${ref.path} (crop ${box.left},${box.top} ${box.width}x${box.height})`, pixels: cut };
}

export interface CropBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The box of the first try that fits; of none, the middle as far as the ratios allow. */
export function cropBox(
  { width: w, height: h }: Pick<RawImage, "width" | "height">,
  key: RandomKey,
  first = 0,
): CropBox {
  for (let i = first; i < first + DRAWS; i += 4) {
    const area = w * h * between(AREA, uniform(key, i));
    const ratio = Math.exp(between([Math.log(RATIO[0]), Math.log(RATIO[1])], uniform(key, i + 1)));
    const [width, height] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))];
    if (width < 1 || height < 1 || width > w || height > h) continue;
    return { width, height, left: integer(key, i + 2, w - width + 1), top: integer(key, i + 3, h - height + 1) };
  }
  const width = Math.max(1, Math.min(w, Math.round(h * RATIO[1])));
  const height = Math.max(1, Math.min(h, Math.round(w / RATIO[0])));
  return { width, height, left: Math.floor((w - width) / 2), top: Math.floor((h - height) / 2) };
}

function cutOut({ width: w, channels, data }: RawImage, { left, top, width, height }: CropBox): RawImage {
  const cut = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * w + left) * channels;
    cut.set(data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, channels, data: cut };
}

/** Images of another subject's example with as many of them; UserError where there is none. */
function otherImages(example: Example, key: RandomKey, others: readonly Example[]): readonly ImageRef[] {
  const start = others.length === 0 ? 0 : integer(key, 0, others.length);
  for (let i = 0; i < others.length; i++) {
    const other = others[(start + i) % others.length]!;
    if (other.subjectId !== example.subjectId && other.images.length === example.images.length) return other.images;
  }
  throw new UserError(
    `corrupt: swap: no other subject's example has ${example.images.length} images, as "${example.id}" has: use crop or blank`,
  );
}

function between([low, high]: readonly [number, number], share: number): number {
  return low + (high - low) * share;
}

/** What a user should know of data that can be read, but may not be what was meant. */
import type { Example, ImageRef } from "../core/records.ts";
import { sixteenBitRange } from "../io/sixteen-bits.ts";

/** Something worth a warning, and which examples it is about. */
export interface DataNotice {
  readonly notice: "dark_images" | "image_tag" | "lost_letters" | "equal_options";
  /** Examples, and the ids of the first. */
  readonly count: number;
  readonly first: readonly string[];
  readonly message: string;
}

/** 16-bit images that are read whole, at most; of more, every n-th is. */
const LOOKED_AT = 200;
const FULL_RANGE = 65_535;
/** Ids in a notice. */
const FIRST = 5;

export async function dataNotices(examples: readonly Example[]): Promise<readonly DataNotice[]> {
  const asks = ({ question, choices }: Example, sign: RegExp) => [question, ...choices].some((text) => sign.test(text));
  const tagged = examples.filter((example) => asks(example, /<\s*(?:image|img)[\s_]?\d*\s*\/?>/i));
  const lost = examples.filter((example) => asks(example, /\ufffd/) || example.answer.includes("\ufffd"));
  return [
    ...(await darkImages(examples)),
    ...about("image_tag", tagged, (count) => {
      return `${count} with a tag such as <image> in the question, which the model reads as letters beside the image: take it out`;
    }),
    ...about("lost_letters", lost, (count) => {
      return `${count} with the character U+FFFD, which marks letters that were lost in another encoding: make the file again`;
    }),
  ];
}

/** Of questions of a published set that were left out, by their ids. */
export function equalOptionsNotices(leftOut: readonly Pick<Example, "id">[]): readonly DataNotice[] {
  return about("equal_options", leftOut, (count) => `${count} left out, two of whose options are the same text`);
}

/** A notice about the examples found, if there are any. */
function about(
  notice: DataNotice["notice"],
  found: readonly Pick<Example, "id">[],
  message: (count: string) => string,
): readonly DataNotice[] {
  if (found.length === 0) return [];
  const count = `${found.length} example${found.length === 1 ? "" : "s"}`;
  return [{ notice, count: found.length, first: found.slice(0, FIRST).map(({ id }) => id), message: message(count) }];
}

/** 16-bit images without a range that use less than a quarter of what sixteen bits hold. */
async function darkImages(examples: readonly Example[]): Promise<readonly DataNotice[]> {
  const images = new Map<string, ImageRef>();
  for (const example of examples) {
    for (const image of example.images) if (image.range === undefined) images.set(image.path, image);
  }
  const ranges = new Map<string, readonly [number, number]>();
  const paths = [...images.keys()];
  const every = Math.ceil(paths.length / LOOKED_AT);
  for (const [i, path] of paths.entries()) {
    if (i % every !== 0) continue;
    const range = await sixteenBitRange(images.get(path)!);
    if (range !== null && isNarrow(range)) ranges.set(path, range);
  }
  const low = Math.min(...[...ranges.values()].map(([lowest]) => lowest));
  const high = Math.max(...[...ranges.values()].map(([, highest]) => highest));
  const found = examples.filter((example) => example.images.some(({ path }) => ranges.has(path)));
  return about("dark_images", found, (count) => darkImage(`${count} with 16-bit images whose values`, [low, high]));
}

/** The same of one image: a sentence, or null. */
export async function darkImageNotice(image: ImageRef): Promise<string | null> {
  const range = image.range === undefined ? await sixteenBitRange(image) : null;
  return range !== null && isNarrow(range) ? darkImage(`the values of the 16-bit image ${image.path}`, range) : null;
}

/** Whether values are so near one another that the image has next to no contrast in its full range. */
function isNarrow([low, high]: readonly [number, number]): boolean {
  return high > low && high - low < FULL_RANGE / 4;
}

/** The sentence about such an image. */
function darkImage(what: string, [low, high]: readonly [number, number]): string {
  const shade = (value: number) => Math.floor(value / 256);
  return (
    `${what} lie between ${low} and ${high} of ${FULL_RANGE}: the model sees greys from ${shade(low)} to ${shade(high)} ` +
    `of 255; set image_range: [${low}, ${high}], or the window you want`
  );
}

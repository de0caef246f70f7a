/** What a user should know of data that can be read, but may not be what was meant. */
import type { Example, ImageRef } from "../core/records.ts";
import { dicomRange } from "../io/dicom-files.ts";
import { sixteenBitRange } from "../io/sixteen-bits.ts";

/** Something worth a warning, and which examples it is about. */
export interface DataNotice {
  readonly notice: "dark_images" | "no_window" | "image_tag" | "html" | "lost_letters" | "equal_options";
  /** Examples, and the ids of the first. */
  readonly count: number;
  readonly first: readonly string[];
  readonly message: string;
}

/** Images of more than 8 bits that are read whole, at most; of more, every n-th is. */
const LOOKED_AT = 200;
/** Ids in a notice. */
const FIRST = 5;

export async function dataNotices(examples: readonly Example[]): Promise<readonly DataNotice[]> {
  const asks = ({ question, choices }: Example, sign: RegExp) => [question, ...choices].some((text) => sign.test(text));
  const tagged = examples.filter((example) => asks(example, IMAGE_TAG));
  const html = examples.filter((example) => asks(example, HTML) || HTML.test(example.answer));
  const lost = examples.filter((example) => asks(example, LOST) || LOST.test(example.answer));
  return [
    ...(await darkImages(examples)),
    ...about("image_tag", tagged, (count) => {
      return `${count} with a tag such as <image> in the question, which the model reads as letters beside the image: take it out`;
    }),
    ...about("html", html, (count) => {
      return `${count} with HTML such as &lt; or &amp;, which the model reads letter by letter: write the characters themselves`;
    }),
    ...about("lost_letters", lost, (count) => {
      return `${count} with letters that were lost in another encoding (U+FFFD, "Ã¼", a control character): make the file again`;
    }),
  ];
}

/** "<image>", "<image_1>", "[IMG]", "<|image_pad|>", "<|vision_start|>" */
const IMAGE_TAG =
  /<\|?\s*(?:image|img|image_?here|image_pad|vision_start|vision_end)[\s_]?\d*\s*\|?\/?>|\[(?:IMG|IMAGE)\]/i;
const HTML = /&(?:lt|gt|amp|nbsp|quot|apos|#\d{2,5}|#x[\da-f]{2,4});/i;
/** U+FFFD, half of a pair, a control character, or UTF-8 that was read as Latin-1 or Windows-1252. */
const LOST = /(?![\n\r\t\v\f])\p{Cc}|[\ufffd\p{Cs}]|[ÂÃ][\u0080-\u00bf]|â€[\u0080-\u00bf\u2018-\u203a™]/u;

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

/** Values that use less than a quarter of the range that is shown from black to white. */
interface NarrowRange {
  readonly notice: "dark_images" | "no_window";
  readonly low: number;
  readonly high: number;
}

/** 16-bit images without a range, and DICOM images without a window, that have next to no contrast. */
async function darkImages(examples: readonly Example[]): Promise<readonly DataNotice[]> {
  const images = new Map(examples.flatMap((example) => example.images.map((image) => [image.path, image] as const)));
  const narrow = new Map<string, NarrowRange>();
  const every = Math.ceil(images.size / LOOKED_AT);
  for (const [i, [path, image]] of [...images].entries()) {
    const range = i % every === 0 ? await narrowRange(image) : null;
    if (range !== null) narrow.set(path, range);
  }
  return (["dark_images", "no_window"] as const).flatMap((notice) => {
    const of = [...narrow].filter(([, range]) => range.notice === notice);
    const paths = new Set(of.map(([path]) => path));
    const found = examples.filter((example) => example.images.some(({ path }) => paths.has(path)));
    const low = Math.min(...of.map(([, range]) => range.low));
    const high = Math.max(...of.map(([, range]) => range.high));
    return about(notice, found, (count) => sentences[notice](`${count} with`, { low, high }, "s"));
  });
}

/** The same of one image: a sentence, or null. */
export async function darkImageNotice(image: ImageRef): Promise<string | null> {
  const range = await narrowRange(image);
  return range === null ? null : sentences[range.notice](`${image.path} is a`, range, "");
}

async function narrowRange(image: ImageRef): Promise<NarrowRange | null> {
  const bits = image.range === undefined ? await sixteenBitRange(image) : null;
  if (bits !== null) return narrowed("dark_images", [...bits, FULL_RANGE]);
  const units = await dicomRange(image);
  return units === null ? null : narrowed("no_window", units);
}

function narrowed(
  notice: NarrowRange["notice"],
  [low, high, of]: readonly [low: number, high: number, of: number],
): NarrowRange | null {
  return high > low && high - low < of / 4 ? { notice, low, high } : null;
}

const FULL_RANGE = 65_535;

const sentences = {
  dark_images: (what: string, { low, high }: Pick<NarrowRange, "low" | "high">, s: string) => {
    const shade = (value: number) => Math.floor(value / 256);
    return (
      `${what} 16-bit image${s} whose values lie between ${low} and ${high} of ${FULL_RANGE}: the model sees greys from ` +
      `${shade(low)} to ${shade(high)} of 255; set image_range: [${low}, ${high}], or the window you want`
    );
  },
  no_window: (what: string, { low, high }: Pick<NarrowRange, "low" | "high">, s: string) => {
    const window = `{ center: ${Math.round((low + high) / 2)}, width: ${Math.ceil(high - low)} }`;
    return (
      `${what} DICOM image${s} without a window, whose values lie between ${Math.floor(low)} and ${Math.ceil(high)}, a ` +
      `small part of what can be stored: set window: ${window}, or the window you want`
    );
  },
} as const;

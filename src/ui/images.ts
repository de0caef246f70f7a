/**
 * Images by their recorded hash: a page never names a path. A file is read only if it really lies, links resolved, in one of
 * the folders that were opened; generated images are made again by whoever opened the page.
 */
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import sharp from "sharp";
import { UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import type { ImageRef, RawImage } from "../core/records.ts";
import type { StoredValues } from "../io/frame-image.ts";
import { decodeImage, MAX_IMAGE_PIXELS } from "../io/images.ts";
import { storedValues } from "../io/stored-values.ts";

/** Pixel values as stored: of 16 bits with their units, of 8 bits as they are shown. */
export type ImageValues = StoredValues | (RawImage & { readonly bits: 8 });

/** Why an image is not shown. */
export interface NoImage {
  readonly reason: string;
}

/** Who makes images that are no files. */
export interface ImageMakers {
  readonly generated: (path: string) => Promise<RawImage | null>;
  /** What a tool made of an image, by its name; null where the name does not fit. */
  readonly remade: (path: string, whole: ImageRef) => Promise<RawImage | null>;
}

export type GeneratedImages = (folder: string) => (path: string) => Promise<RawImage | null>;

/** Larger images are scaled down to this before they are sent. */
const MOST_PIXELS = 4096 * 4096;
const THUMBNAIL = 224;

/** What an image that only an evaluation names is asked for by: of its name, not of its content. */
export function imageId(path: string): string {
  return createHash("sha256").update(`image ${path}`).digest("hex");
}

/** The image's values; `roots` are real paths. */
export async function imageValues(
  path: string,
  roots: readonly string[],
  { generated, remade }: ImageMakers,
): Promise<ImageValues | NoImage> {
  const base = isAbsolute(path) ? /^(.+)#(?:crop|window)=[-\d.,]+$/s.exec(path)?.[1] : undefined;
  if (base !== undefined) {
    const whole = await imageValues(base, roots, { generated, remade });
    if ("reason" in whole) return whole;
    const made = await remade(path, refOf(base, whole));
    return made === null ? { reason: `${path} does not fit its image` } : { ...withoutColour(made), bits: 8 };
  }
  if (!isAbsolute(path) && !existsSync(path)) {
    const made = await generated(path);
    if (made !== null) return { ...withoutColour(made), bits: 8 };
    return { reason: `there is no image ${path}` };
  }
  const { file, frame } = imageFile(path);
  const real = insideOf(file, roots);
  if (typeof real !== "string") return real;
  try {
    const name = frame === null ? real : `${real}#frame=${frame}`;
    const values = await storedValues(name, { maxPixels: MAX_IMAGE_PIXELS });
    if (values !== null && values.width * values.height <= MOST_PIXELS) return values;
    const { image } = await decodeImage({ path: name });
    return { ...withoutColour(await shrunk(image)), bits: 8 };
  } catch (error) {
    if (error instanceof UserError) return { reason: error.message };
    throw error;
  }
}

/** The real path of a file inside one of the roots; a reason for any other. */
export function insideOf(path: string, roots: readonly string[]): string | NoImage {
  let real: string;
  try {
    real = realpathSync(resolve(path));
  } catch {
    return { reason: `the file ${path} is not there` };
  }
  const isInside = roots.some((root) => {
    const below = relative(root, real);
    return below !== "" && !below.startsWith("..") && !isAbsolute(below);
  });
  if (isInside) return real;
  return { reason: `${path} lies outside the opened folders: start viva ui with --images and its folder to see it` };
}

/** An image that was allowed to be read, for whoever decodes it: of 16 bits by its path, since a model has a window of its own. */
export function refOf(path: string, values: ImageValues): ImageRef {
  return values.bits === 16 ? { path } : { path, pixels: values };
}

/** The image with a window of its own in place of the run's: in units or stored values of 16 bits, else of the 8 that are shown. */
export function windowedRef(
  path: string,
  values: ImageValues,
  { width, level }: { readonly width: number; readonly level: number },
): ImageRef {
  if (values.bits === 16 && values.slope !== undefined) return { path, window: { center: level, width } };
  if (values.bits === 16) {
    const low = Math.min(65_534, Math.max(0, Math.round(level - width / 2)));
    return { path, range: [low, Math.min(65_535, Math.max(low + 1, Math.round(level + width / 2)))] };
  }
  const shown = (value: number) => Math.round(255 * Math.min(1, Math.max(0, (value - level) / width + 0.5)));
  return { path, pixels: { ...values, data: values.data.map(shown) } };
}

/** A WebP of at most 224 pixels a side; 16-bit values from their 1 % to their 99 % quantile. */
export async function thumbnailOf(values: ImageValues): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, channels } = values;
  const image = sharp(values.bits === 8 ? values.data : stretched(values), { raw: { width, height, channels } })
    .resize(THUMBNAIL, THUMBNAIL, { fit: "inside", withoutEnlargement: true })
    .negate(values.bits === 16 && values.inverse === true);
  return new Uint8Array(await image.webp({ quality: 75 }).toBuffer());
}

function stretched({ data }: StoredValues): Uint8Array {
  const values = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  const sorted = Uint16Array.from(values.filter((_, i) => i % 7 === 0)).sort();
  const low = sorted[Math.floor(sorted.length * 0.01)] ?? 0;
  const high = Math.max(low + 1, sorted[Math.floor(sorted.length * 0.99)] ?? 65_535);
  return Uint8Array.from(values, (value) => (255 * (Math.min(high, Math.max(low, value)) - low)) / (high - low));
}

/** One channel for an image whose three are equal: grey is not called colour. */
function withoutColour(image: RawImage): RawImage {
  const { channels, data } = image;
  if (channels === 1) return image;
  for (let i = 0; i < data.length; i += 3) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return image;
  return { ...image, channels: 1, data: Uint8Array.from({ length: data.length / 3 }, (_, i) => data[3 * i]!) };
}

async function shrunk(image: RawImage): Promise<RawImage> {
  const { width, height, channels, data } = image;
  if (width * height <= MOST_PIXELS) return image;
  const scale = Math.sqrt(MOST_PIXELS / (width * height));
  const made = await sharp(data, { raw: { width, height, channels } })
    .resize(Math.floor(width * scale), Math.floor(height * scale), { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: made.info.width, height: made.info.height, channels, data: made.data };
}

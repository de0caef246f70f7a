/** Thumbnails embedded in the page: WebP, at most 224 pixels a side, each image once. */
import sharp from "sharp";
import type { RawImage } from "../core/records.ts";

/** Finds an image's pixels by its recorded path; null if it is missing. */
export type ImageSource = (path: string) => Promise<RawImage | null>;

export interface Thumbnail {
  /** "data:image/webp;base64,…" */
  readonly url: string;
  readonly width: number;
  readonly height: number;
}

const mostPixels = 224;

/** A thumbnail of each path that the source finds; other paths are absent. */
export async function thumbnails(
  paths: Iterable<string>,
  source: ImageSource,
): Promise<ReadonlyMap<string, Thumbnail>> {
  const made = new Map<string, Thumbnail>();
  for (const path of new Set(paths)) {
    const image = await source(path);
    if (image !== null) made.set(path, await thumbnail(image));
  }
  return made;
}

async function thumbnail({ width, height, channels, data }: RawImage): Promise<Thumbnail> {
  const { data: webp, info } = await sharp(data, { raw: { width, height, channels } })
    .resize(mostPixels, mostPixels, { fit: "inside", withoutEnlargement: true })
    .webp({ quality: 70 })
    .toBuffer({ resolveWithObject: true });
  return { url: `data:image/webp;base64,${webp.toString("base64")}`, width: info.width, height: info.height };
}

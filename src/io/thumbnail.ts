/** An image in a few greys: what tells images apart that are neither the same file nor the same size. */
import sharp from "sharp";
import type { ImageRef } from "../core/records.ts";
import { decodeImage } from "./images.ts";

/** The greys of the image squeezed to `width` x `height` by linear interpolation, row by row [height, width]. */
export async function greyThumbnail(ref: ImageRef, width: number, height: number): Promise<Uint8Array> {
  const { image } = await decodeImage(ref);
  const { data } = image;
  const raw = await sharp(data, { raw: { width: image.width, height: image.height, channels: image.channels } })
    .greyscale()
    .resize(width, height, { fit: "fill", kernel: "linear" })
    .raw()
    .toBuffer();
  const channels = raw.length / (width * height); // a grey image may come back as RGB
  return channels === 1 ? raw : Uint8Array.from({ length: width * height }, (_, i) => raw[i * channels]!);
}

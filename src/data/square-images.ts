/** Images of one square size, for what is trained on pixels, and images cut into tiles, for what is trained on bags. */
import { UserError } from "../core/errors.ts";
import type { ImageRef, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { resizeBicubic } from "../io/resize.ts";

/** The image at `size` x `size` pixels, of which a frame of `border` pixels stays black. */
export async function squareImage(ref: ImageRef, size: number, border: number): Promise<ImageRef> {
  const { image } = await decodeImage(ref);
  const inner = size - 2 * border;
  const pixels = placed(resizeBicubic(image, inner, inner), size, border);
  return { path: `${ref.path} (${size} pixels, border ${border})`, pixels };
}

/** An image cut into n x n tiles, row by row, with the places [x, y] of their corners in pixels. */
export async function imageTiles(ref: ImageRef, n: number) {
  const { image } = await decodeImage(ref);
  const [width, height] = [Math.floor(image.width / n), Math.floor(image.height / n)];
  if (width === 0 || height === 0)
    throw new UserError(`${ref.path}: ${n} x ${n} tiles need at least ${n} pixels a side`);
  const coords = Array.from({ length: n * n }, (_, i) => [(i % n) * width, Math.floor(i / n) * height] as const);
  return { coords, tiles: coords.map(([x, y]) => cut(image, x, y, width, height)) };
}

function cut({ data, width: line, channels }: RawImage, x: number, y: number, width: number, height: number): RawImage {
  const tile = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * line + x) * channels;
    tile.set(data.subarray(from, from + width * channels), row * width * channels);
  }
  return { width, height, channels, data: tile };
}

function placed(image: RawImage, size: number, border: number): RawImage {
  if (border === 0) return image;
  const { width, channels } = image;
  const data = new Uint8Array(size * size * channels);
  for (let row = 0; row < image.height; row++) {
    const line = image.data.subarray(row * width * channels, (row + 1) * width * channels);
    data.set(line, ((row + border) * size + border) * channels);
  }
  return { width: size, height: size, channels, data };
}

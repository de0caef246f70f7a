/**
 * crop: a part of the image at its full resolution. The box is clamped to the image, and grown about its centre to the
 * smallest side that a vision tower takes.
 */
import type { ImageSize, RawImage } from "../core/records.ts";
import { defineTool, ToolError } from "./tool.ts";
import { type Box, boxArgument, imageArgument, madeImage, viewImage } from "./viewed.ts";

/** Two patches of 14 pixels: what Qwen2-VL makes one token of. */
const LEAST_SIDE = 28;
/** Of the longer to the shorter side (DeepEyes). */
const MOST_RATIO = 100;

export const crop = defineTool(
  { name: "crop", description: "Shows a part of the image enlarged; box is [left, top, right, bottom] in pixels." },
  { ...imageArgument, ...boxArgument },
  async (example, { image, box }) => {
    const { ref, whole, scale } = await viewImage(example, image);
    const kept = cropBox(whole, box.map((side) => side * scale) as unknown as Box);
    if (kept === null) throw new ToolError("the box is empty, outside the image or far too narrow");
    return { text: "", image: madeImage(ref, `crop=${kept.join(",")}`, cut(whole, kept)) };
  },
);

/**
 * The box of whole pixels that is shown for one that was asked for: clamped; null where nothing is left or the sides are as
 * 100 to 1; else at least 28 pixels a side as far as the image has them, about the same centre but inside the image. (DeepEyes
 * refuses sides up to 30 before it would grow them.)
 */
export function cropBox({ width, height }: ImageSize, [left, top, right, bottom]: Box): Box | null {
  const [x0, y0] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
  const [x1, y1] = [Math.min(width, Math.ceil(right)), Math.min(height, Math.ceil(bottom))];
  if (!(x1 > x0 && y1 > y0)) return null;
  const [wide, high] = [x1 - x0, y1 - y0];
  if (Math.max(wide / high, high / wide) > MOST_RATIO) return null;
  const [a0, a1] = grown(x0, x1, width);
  const [b0, b1] = grown(y0, y1, height);
  return [a0, b0, a1, b1];
}

function grown(from: number, to: number, size: number): readonly [number, number] {
  const wanted = Math.min(LEAST_SIDE, size);
  if (to - from >= wanted) return [from, to];
  const start = Math.min(size - wanted, Math.max(0, Math.floor((from + to - wanted) / 2)));
  return [start, start + wanted];
}

/** The pixels of a box of whole pixels inside the image. */
export function cut({ width, channels, data }: RawImage, [left, top, right, bottom]: Box): RawImage {
  const [wide, high] = [right - left, bottom - top];
  const part = new Uint8Array(wide * high * channels);
  for (let y = 0; y < high; y++) {
    const start = ((top + y) * width + left) * channels;
    part.set(data.subarray(start, start + wide * channels), y * wide * channels);
  }
  return { width: wide, height: high, channels, data: part };
}

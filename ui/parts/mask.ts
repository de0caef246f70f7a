/** Pixel masks as COCO writes them, unpacked for drawing. */

import type { PixelMask } from "../../src/train/regions.ts";

/** Larger ones are not drawn. */
const MOST_PIXELS = 1e8;

/** 1 for every pixel of it, row by row; null for a mask that is larger or other than it says. */
export function unpackMask({ size: [height, width], counts }: PixelMask): Uint8Array | null {
  if (!(height > 0 && width > 0 && height * width <= MOST_PIXELS)) return null;
  const pixels = new Uint8Array(height * width);
  let at = 0;
  let inside = false;
  for (const count of typeof counts === "string" ? runsOf(counts) : counts) {
    const end = at + count;
    if (!(count >= 0 && end <= pixels.length)) return null;
    for (; at < end; at++) if (inside) pixels[(at % height) * width + Math.floor(at / height)] = 1;
    inside = !inside;
  }
  return pixels;
}

/** Five bits a letter from "0" on, the lowest first, the sixth for "more follow"; from the fourth on less the run two before. */
function runsOf(text: string): readonly number[] {
  const runs: number[] = [];
  for (let i = 0; i < text.length; ) {
    let [value, shift, more] = [0, 0, true];
    while (more && i < text.length) {
      const code = text.charCodeAt(i++) - 48;
      value |= (code & 0x1f) << shift;
      shift += 5;
      more = (code & 0x20) !== 0;
      if (!more && code & 0x10) value |= -1 << shift; // below 0
    }
    runs.push(value + (runs.length > 2 ? runs[runs.length - 2]! : 0));
  }
  return runs;
}

/** What an image looks like in 256 bits, so that the same picture is found under another name, size or compression. */
import type { ImageRef } from "../core/records.ts";
import { greyThumbnail } from "./thumbnail.ts";

/** Bits of a hash, eight 32-bit words. */
export type PerceptualHash = Uint32Array;

/**
 * Of the 256 bits of a perceptual hash so many may differ in one picture saved twice: every third image of VQA-RAD, made
 * smaller by 40 % and saved as JPEG of quality 60, differs from itself in at most 12, and no two of its images in fewer than 23.
 */
export const SAME_LOOKS = 12;

const SIDE = 16;
const NOISE = 3;

/** The difference hash: the image as 17 x 16 greys, a bit for each pair of neighbours in a row, set where the right one is brighter by more than the noise of a JPEG file. */
export async function perceptualHash(ref: ImageRef): Promise<PerceptualHash> {
  const grey = await greyThumbnail(ref, SIDE + 1, SIDE);
  const hash = new Uint32Array((SIDE * SIDE) / 32);
  for (let bit = 0; bit < SIDE * SIDE; bit++) {
    const at = Math.floor(bit / SIDE) * (SIDE + 1) + (bit % SIDE);
    if (grey[at + 1]! > grey[at]! + NOISE) hash[bit >> 5] = hash[bit >> 5]! | (1 << (bit & 31));
  }
  return hash;
}

/** In how many bits two hashes differ. */
export function hashDistance(a: PerceptualHash, b: PerceptualHash): number {
  let distance = 0;
  for (let i = 0; i < a.length; i++) {
    let x = a[i]! ^ b[i]!;
    x -= (x >>> 1) & 0x55555555;
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
    distance += Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return distance;
}

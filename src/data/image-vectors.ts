/** What images look like as vectors: for finding the nearest of many, and for conventional models. */
import { UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import type { ImageRef } from "../core/records.ts";
import { greyThumbnail } from "../io/thumbnail.ts";

const SIDE = 16;
/** Images decoded at the same time: bounds memory, keeps the decoder's threads busy. */
const AT_ONCE = 4;

/**
 * Vectors [256] by path, 16 x 16 greys around their mean, of length 1; the product of two is the correlation of their
 * greys. An image of one grey has the vector 0, one that cannot be read has none.
 */
export function imageVectors(images: readonly ImageRef[]): Promise<ReadonlyMap<string, Float32Array>> {
  return vectorsOf(images, vectorOf);
}

/** Profiles [96] by path: 8 x 8 greys, then the shares of 32 bins of grey; images that cannot be read have none. */
export function imageProfiles(images: readonly ImageRef[]): Promise<ReadonlyMap<string, Float32Array>> {
  return vectorsOf(images, profileOf);
}

async function vectorsOf(
  images: readonly ImageRef[],
  of: (image: ImageRef) => Promise<Float32Array>,
): Promise<ReadonlyMap<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const queue = new Map(images.map((image) => [image.path, image] as const)).values();
  const work = async () => {
    for (const image of queue) {
      const vector = await of(image).catch((error: unknown) => {
        if (error instanceof UserError) return null;
        throw error;
      });
      if (vector !== null) vectors.set(image.path, vector);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return vectors;
}

async function vectorOf(image: ImageRef): Promise<Float32Array> {
  const greys = await greyThumbnail(image, SIDE, SIDE);
  const mean = meanOf(greys);
  const length = Math.sqrt(greys.reduce((sum, grey) => sum + (grey - mean) ** 2, 0));
  return Float32Array.from(greys, (grey) => (length === 0 ? 0 : (grey - mean) / length));
}

async function profileOf(image: ImageRef): Promise<Float32Array> {
  const greys = await greyThumbnail(image, 64, 64);
  const profile = new Float32Array(64 + 32);
  for (const [i, grey] of greys.entries()) {
    const block = 8 * Math.floor(i / 512) + Math.floor((i % 64) / 8);
    profile[block]! += grey / 255 / 64;
    profile[64 + (grey >> 3)]! += 1 / greys.length;
  }
  return profile;
}

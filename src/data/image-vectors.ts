/** What images look like as vectors, so that the nearest of many is found: 16 x 16 greys around their mean, of length 1. */
import { UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import type { ImageRef } from "../core/records.ts";
import { greyThumbnail } from "../io/thumbnail.ts";

const SIDE = 16;
/** Images decoded at the same time: bounds memory, keeps the decoder's threads busy. */
const AT_ONCE = 4;

/**
 * Vectors [256] by path; the product of two is the correlation of their greys. An image of one grey has the vector 0, one
 * that cannot be read has none.
 */
export async function imageVectors(images: readonly ImageRef[]): Promise<ReadonlyMap<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const queue = new Map(images.map((image) => [image.path, image] as const)).values();
  const work = async () => {
    for (const image of queue) {
      const vector = await vectorOf(image).catch((error: unknown) => {
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

/** Vectors of images as an opened model's vision tower sees them. */
import type { ImageRef } from "../core/records.ts";
import type { OpenedCheckpoint } from "./checkpoint.ts";

/** Images whose patches are in memory at a time. */
const CHUNK = 32;

/** By path, each distinct one once: [language width]. Throws UserError where the model is computed elsewhere. */
export async function embedImages(
  { engine, processor }: Pick<OpenedCheckpoint, "engine" | "processor">,
  images: readonly ImageRef[],
): Promise<ReadonlyMap<string, Float32Array>> {
  const distinct = [...new Map(images.map((image) => [image.path, image])).values()];
  const vectors = new Map<string, Float32Array>();
  for (let start = 0; start < distinct.length; start += CHUNK) {
    const some = distinct.slice(start, start + CHUNK);
    const prompts = await Promise.all(
      some.map(async (image) => {
        const { tokenIds, image: features } = await processor.encodeImage(image);
        return { text: "", tokenIds, images: [features] };
      }),
    );
    for (const [i, vector] of (await engine.policy.embed(prompts)).entries()) vectors.set(some[i]!.path, vector);
  }
  return vectors;
}

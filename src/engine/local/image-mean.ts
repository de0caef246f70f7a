/** One vector for images: the mean of their tokens as the vision tower gives them to the language model's first level. */
import type { LanguageStack } from "../../models/model.ts";

/** Mean [width] over the tokens of all images, whose features are [tokens, featureLevels x width]; zeros without images. */
export function imageMean(
  images: readonly Float32Array[],
  { width, featureLevels }: Pick<LanguageStack, "width" | "featureLevels">,
): Float32Array {
  const sums = new Float64Array(width);
  let tokens = 0;
  for (const features of images) {
    for (let start = 0; start < features.length; start += featureLevels * width) {
      for (let i = 0; i < width; i++) sums[i]! += features[start + i]!;
      tokens++;
    }
  }
  return Float32Array.from(sums, (sum) => sum / Math.max(1, tokens));
}

/** One vector for images: the mean of their tokens as the vision tower gives them to the language model's first level. */
import type { Params } from "../../compiler/tensor.ts";
import type { Prompt } from "../../core/records.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import type { Compute } from "./compute.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { encodeEach } from "./vision-runner.ts";

/** The mean of each prompt's image tokens; an image is encoded by itself, so the batch changes nothing. */
export async function promptMeans(
  compute: Compute,
  values: Params<TensorData>,
  prompts: readonly Prompt[],
  cache: FeatureCache,
): Promise<readonly Float32Array[]> {
  const means: Float32Array[] = [];
  for (const { images } of prompts) {
    const features = await encodeEach(compute, values, images, cache);
    const own = images.map(({ sha256 }) => features.get(sha256)!);
    means.push(imageMean(own, compute.model.language));
  }
  return means;
}

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

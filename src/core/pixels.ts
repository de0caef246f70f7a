/**
 * The pixels behind an image's patches: a processor cuts every number of a patch from one pixel, so a change of pixels is a
 * change of patches, and a gradient of patches one of pixels.
 */
import type { ImageFeatures } from "./records.ts";

/** Where the numbers of an image's patches come from: number = (pixel − mean) / std of its channel, pixels in 0 to 1. */
export interface PixelLayout {
  readonly width: number;
  readonly height: number;
  /** Of every number of the patches, in their order: 3 · (row · width + column) + channel. */
  readonly sources: Int32Array;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Pixels [height x width x 3], 0 to 1, of an image's patches. */
export function pixelsOf(patches: Float32Array, { width, height, sources, mean, std }: PixelLayout): Float32Array {
  const pixels = new Float32Array(3 * width * height);
  for (const [i, source] of sources.entries()) pixels[source] = patches[i]! * std[source % 3]! + mean[source % 3]!;
  return pixels;
}

/** The gradient of pixels from that of patches; a pixel that stands in several patches adds up. */
export function pixelGradient(gradient: Float32Array, { width, height, sources, std }: PixelLayout): Float32Array {
  const pixels = new Float32Array(3 * width * height);
  for (const [i, source] of sources.entries()) pixels[source]! += gradient[i]! / std[source % 3]!;
  return pixels;
}

/**
 * The image with a change [height x width x 3] added to its pixels; a change of zero leaves every bit. `tag` tells it from
 * the image it was, in caches too.
 */
export function withPixelChange(
  image: ImageFeatures,
  change: Float32Array,
  { sources, std }: PixelLayout,
  tag: string,
): ImageFeatures {
  const { pixels: _, ...rest } = image;
  const patches = image.patches.map((value, i) => value + change[sources[i]!]! / std[sources[i]! % 3]!);
  return { ...rest, patches, sha256: `${image.sha256}:${tag}` };
}

/**
 * Pixels of the Qwen-VL families: resize to whole tokens (28 or 32 pixels a side), scale and normalise, cut into patches in
 * merge order: the four patches that the vision tower merges to one token follow each other. Equal to transformers'
 * Qwen2VLImageProcessorPil.
 */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import type { PixelLayout } from "../../core/pixels.ts";
import type { ImageFeatures, ImageSize, RawImage } from "../../core/records.ts";
import { resizeBicubic } from "../../io/resize.ts";
import { checkImageProcessorJson } from "../processor-files.ts";
import { visionPositions } from "./positions.ts";

/** What preprocessor_config.json says, under our names. */
export interface ImageProcessorConfig {
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  readonly mergeSize: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly rescaleFactor: number;
}

const positive = z.int().positive();
/** Sizes that no real model has would be allocated all the same. */
const atMost = (most: number) => z.int().positive().max(most);
const perChannel = z.tuple([z.number(), z.number(), z.number()]);
const MAX_MIN_PIXELS = 2 ** 24;
const yes = z.literal(true, "only true is supported").nullish();
const configSchema = z.looseObject({
  image_processor_type: z.string().startsWith("Qwen2VLImageProcessor", "is not a Qwen2-VL image processor").nullish(),
  min_pixels: positive.nullish(),
  max_pixels: positive.nullish(),
  size: z
    .looseObject({ shortest_edge: positive, longest_edge: positive })
    .or(z.looseObject({ min_pixels: positive, max_pixels: positive }))
    .nullish(),
  patch_size: atMost(256).default(14),
  temporal_patch_size: atMost(16).default(2),
  merge_size: atMost(16).default(2),
  image_mean: perChannel.default([0.48145466, 0.4578275, 0.40821073]),
  image_std: perChannel
    .refine((std) => std.every((s) => s !== 0), "must not be 0")
    .default([0.26862954, 0.26130258, 0.27577711]),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  resample: z.literal(3, "only 3 (bicubic) is supported").nullish(),
  do_resize: yes,
  do_rescale: yes,
  do_normalize: yes,
});

/** Checks a parsed preprocessor_config.json; `path` names it in errors. min_pixels and max_pixels go before `size`. */
export function parseImageProcessorConfig(json: unknown, path: string): ImageProcessorConfig {
  const config = checkImageProcessorJson(configSchema, json, path);
  const size = config.size as { [key: string]: number | undefined } | null | undefined;
  const minPixels = config.min_pixels ?? size?.shortest_edge ?? size?.min_pixels ?? 56 * 56;
  const maxPixels = config.max_pixels ?? size?.longest_edge ?? size?.max_pixels ?? 28 * 28 * 1280;
  if (minPixels > MAX_MIN_PIXELS) {
    throw new UserError(
      `image processor configuration ${path}: min_pixels ${minPixels} would enlarge every image beyond ${MAX_MIN_PIXELS} pixels`,
    );
  }
  const token = (config.patch_size * config.merge_size) ** 2;
  if (minPixels > maxPixels || maxPixels < token) {
    throw new UserError(
      `image processor configuration ${path}: min_pixels ${minPixels} and max_pixels ${maxPixels} ` +
        `must allow at least one token of ${token} pixels, the smaller first`,
    );
  }
  return {
    minPixels,
    maxPixels,
    patchSize: config.patch_size,
    temporalPatchSize: config.temporal_patch_size,
    mergeSize: config.merge_size,
    mean: config.image_mean,
    std: config.image_std,
    rescaleFactor: config.rescale_factor,
  };
}

/**
 * The size [height, width] an image is resized to: multiples of `factor`, the area within the pixel limits, the sides'
 * ratio about kept. Throws UserError for a ratio above 200, as transformers does.
 */
export function smartResize(
  height: number,
  width: number,
  factor = 28,
  minPixels = 56 * 56,
  maxPixels = 28 * 28 * 1280,
): readonly [number, number] {
  if (Math.max(height, width) / Math.min(height, width) > 200) {
    throw new UserError(`an image of ${width} x ${height} pixels is too narrow: its sides may differ at most 200-fold`);
  }
  const rounded = [roundHalfEven(height / factor) * factor, roundHalfEven(width / factor) * factor] as const;
  const area = rounded[0] * rounded[1];
  if (area > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const snap = (side: number): number => Math.max(factor, Math.floor(side / shrink / factor) * factor);
    return [snap(height), snap(width)];
  }
  if (area < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    const snap = (side: number): number => Math.ceil((side * grow) / factor) * factor;
    return [snap(height), snap(width)];
  }
  return rounded;
}

/** Patches in time, height and width that an image of this size (before resizing) is cut into. */
export function patchGrid(image: ImageSize, config: ImageProcessorConfig): readonly [number, number, number] {
  const { patchSize: P, mergeSize, minPixels, maxPixels } = config;
  const [height, width] = smartResize(image.height, image.width, P * mergeSize, minPixels, maxPixels);
  return [1, height / P, width / P];
}

/** The image at the size of its grid, which is what the patches are cut from. */
export function resizedImage(
  image: RawImage,
  grid: readonly [number, number, number],
  { patchSize }: ImageProcessorConfig,
): RawImage {
  return resizeBicubic(image, grid[2] * patchSize, grid[1] * patchSize);
}

/** Patches [grid height x grid width, 3 x temporal x patch x patch] of an RGB image, the one frame repeated in time. */
export function patchify(
  image: RawImage,
  config: ImageProcessorConfig,
): Required<Pick<ImageFeatures, "patches" | "grid" | "pixels">> {
  const { patchSize: P, mergeSize, temporalPatchSize } = config;
  const grid = patchGrid(image, config);
  const pixels = resizedImage(image, grid, config);
  const { data, width } = pixels;
  const order = visionPositions(grid, mergeSize);
  const tables = [0, 1, 2].map((channel) => normalisedValues(config, channel));
  const patches = new Float32Array((order.length / 2) * 3 * temporalPatchSize * P * P);
  let o = 0;
  for (let patch = 0; patch < order.length; patch += 2) {
    const top = order[patch]! * P;
    const left = order[patch + 1]! * P;
    for (let channel = 0; channel < 3; channel++) {
      const table = tables[channel]!;
      const frame = o;
      for (let y = top; y < top + P; y++) {
        for (let x = left; x < left + P; x++) patches[o++] = table[data[3 * (y * width + x) + channel]!]!;
      }
      for (let t = 1; t < temporalPatchSize; t++, o += P * P) patches.copyWithin(o, frame, frame + P * P);
    }
  }
  return { patches, grid, pixels };
}

/** The pixels that `patchify` cuts patches of this grid from. */
export function pixelLayout(grid: readonly [number, number, number], config: ImageProcessorConfig): PixelLayout {
  const { patchSize: P, mergeSize, temporalPatchSize, mean, std } = config;
  const [height, width] = [grid[1] * P, grid[2] * P];
  const order = visionPositions(grid, mergeSize);
  const sources = new Int32Array((order.length / 2) * 3 * temporalPatchSize * P * P);
  let o = 0;
  for (let patch = 0; patch < order.length; patch += 2) {
    const [top, left] = [order[patch]! * P, order[patch + 1]! * P];
    for (let channel = 0; channel < 3; channel++) {
      for (let t = 0; t < temporalPatchSize; t++) {
        for (let y = top; y < top + P; y++) {
          for (let x = left; x < left + P; x++) sources[o++] = 3 * (y * width + x) + channel;
        }
      }
    }
  }
  const perByte = 255 * config.rescaleFactor;
  const scaled = (values: typeof mean) => values.map((value) => value / perByte) as [number, number, number];
  return { width, height, sources, mean: scaled(mean), std: scaled(std) };
}

/** (byte x rescale - mean) / std for every byte, each operation rounded to float32 as numpy does it. */
function normalisedValues(config: ImageProcessorConfig, channel: number): Float32Array {
  const [mean, std] = [Math.fround(config.mean[channel]!), Math.fround(config.std[channel]!)];
  return Float32Array.from(
    { length: 256 },
    (_, byte) => Math.fround(Math.fround(byte * config.rescaleFactor) - mean) / std,
  );
}

/** Python's round(). */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const isTie = x - below === 0.5;
  return isTie ? below + (below % 2) : Math.round(x);
}

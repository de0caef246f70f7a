/**
 * Idefics3's and SmolVLM's pixels: resize, cut into tiles of equal size, add the whole image as one more tile, scale and
 * normalise, cut tiles into patches in merge order. Equal to transformers' Idefics3ImageProcessorPil bit for bit.
 */
import { z } from "zod";
import type { ImageFeatures, ImageSize, RawImage } from "../../core/records.ts";
import { resizeBicubic, resizeLanczos } from "../../io/resize.ts";
import { checkImageProcessorJson } from "../processor-files.ts";
import { visionPositions } from "../qwen_vl/positions.ts";

/** What preprocessor_config.json says, under our names. */
export interface ImageProcessorConfig {
  /** First of all an image gets this size, or its longer side this length; null: it keeps its own. */
  readonly size: { readonly longestEdge: number } | { readonly height: number; readonly width: number } | null;
  /** Side of a tile in pixels. */
  readonly tile: number;
  readonly split: boolean;
  readonly resize: (image: RawImage, width: number, height: number) => RawImage;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly rescaleFactor: number;
}

/** How the vision tower cuts tiles: into patches, of which `merge` x `merge` become a token. */
export interface PatchSizes {
  readonly patch: number;
  readonly merge: number;
}

/** Longest side that transformers makes. */
const MAX_IMAGE_SIDE = 4096;

const positive = z.int().positive();
/** Sizes that no real model has would be allocated all the same. */
const side = positive.max(MAX_IMAGE_SIDE);
const perChannel = z.tuple([z.number(), z.number(), z.number()]);
const yes = z.literal(true, "only true is supported").nullish();
const configSchema = z.looseObject({
  image_processor_type: z
    .string()
    .regex(/^(Idefics3|SmolVLM)ImageProcessor/, "is not an image processor of Idefics3 or SmolVLM")
    .nullish(),
  size: z
    .looseObject({ longest_edge: positive })
    .or(z.looseObject({ height: side, width: side }))
    .default({ longest_edge: 4 * 364 }),
  max_image_size: z.looseObject({ longest_edge: side }).default({ longest_edge: 364 }),
  do_image_splitting: z.boolean().default(true),
  do_resize: z.boolean().default(true),
  resample: z.union([z.literal(1), z.literal(3)], "only 1 (Lanczos) and 3 (bicubic) are supported").default(1),
  image_mean: perChannel.default([0.5, 0.5, 0.5]),
  image_std: perChannel.refine((std) => std.every((s) => s !== 0), "must not be 0").default([0.5, 0.5, 0.5]),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  do_rescale: yes,
  do_normalize: yes,
});

/** Checks a parsed preprocessor_config.json; `path` names it in errors. */
export function parseImageProcessorConfig(json: unknown, path: string): ImageProcessorConfig {
  const config = checkImageProcessorJson(configSchema, json, path);
  const { longest_edge: longestEdge, height, width } = config.size as { [key: string]: number };
  return {
    size: !config.do_resize ? null : longestEdge !== undefined ? { longestEdge } : { height: height!, width: width! },
    tile: config.max_image_size.longest_edge,
    split: config.do_image_splitting,
    resize: config.resample === 1 ? resizeLanczos : resizeBicubic,
    mean: config.image_mean,
    std: config.image_std,
    rescaleFactor: config.rescale_factor,
  };
}

/** How an image of some size is cut: `rows` x `columns` tiles, 0 x 0 when it is not cut; the whole image is one more. */
export interface TilePlan {
  readonly rows: number;
  readonly columns: number;
  /** [width, height] of the first resizing, null without one, and of that which makes whole tiles. */
  readonly first: readonly [number, number] | null;
  readonly whole: readonly [number, number];
}

/** Told from an image's size alone. */
export function planTiles(image: ImageSize, { size, split, tile }: ImageProcessorConfig): TilePlan {
  const first = size === null ? null : firstSize(image, size);
  const uncut = { rows: 0, columns: 0, first, whole: [tile, tile] } as const;
  if (!split) return uncut;
  const [width, height] = tiledSize(first === null ? image : { width: first[0], height: first[1] }, tile);
  if (width === tile && height === tile) return uncut;
  return { rows: height / tile, columns: width / tile, first, whole: [width, height] };
}

/** The tiles of a plan row by row, and last the whole image as one; every tile is `tile` x `tile`. */
export function cutIntoTiles(image: RawImage, plan: TilePlan, { tile, resize }: ImageProcessorConfig): RawImage[] {
  const { rows, columns, first } = plan;
  const whole = resize(first === null ? image : resize(image, ...first), ...plan.whole);
  if (rows === 0) return [whole];
  const parts = Array.from({ length: rows * columns }, (_, i) =>
    crop(whole, (i % columns) * tile, Math.floor(i / columns) * tile, tile),
  );
  return [...parts, resize(whole, tile, tile)];
}

/** Patches [tiles x patches, 3 x patch x patch], tile by tile, and their grid. */
export function patchify(
  tiles: readonly RawImage[],
  config: ImageProcessorConfig,
  { patch: P, merge }: PatchSizes,
): Pick<ImageFeatures, "patches" | "grid"> {
  const side = Math.floor(config.tile / P); // the tower drops a rest that fills no patch
  const order = visionPositions([1, side, side], merge);
  const tables = [0, 1, 2].map((channel) => normalisedValues(config, channel));
  const patches = new Float32Array(tiles.length * side * side * 3 * P * P);
  let o = 0;
  for (const { width, data } of tiles) {
    for (let i = 0; i < order.length; i += 2) {
      const [top, left] = [order[i]! * P, order[i + 1]! * P];
      for (let channel = 0; channel < 3; channel++) {
        const table = tables[channel]!;
        for (let y = top; y < top + P; y++) {
          for (let x = left; x < left + P; x++) patches[o++] = table[data[3 * (y * width + x) + channel]!]!;
        }
      }
    }
  }
  return { patches, grid: [tiles.length, side, side] };
}

/** [width, height]: the longer side as asked for, the shorter one even, in proportion. */
function firstSize({ width, height }: ImageSize, size: NonNullable<ImageProcessorConfig["size"]>): [number, number] {
  if (!("longestEdge" in size)) return [size.width, size.height];
  const longest = size.longestEdge;
  const shorter = (length: number) => Math.max(1, Math.trunc(length) + (Math.trunc(length) % 2));
  const ratio = width / height;
  const [w, h] = width >= height ? [longest, shorter(longest / ratio)] : [shorter(longest * ratio), longest];
  const most = MAX_IMAGE_SIDE;
  if (w >= h && w > most) return [most, Math.max(1, Math.trunc(most / (w / h)))];
  if (h > w && h > most) return [Math.max(1, Math.trunc(most * (w / h))), most];
  return [w, h];
}

/** [width, height]: both sides as whole tiles, the longer one rounded up first. */
function tiledSize({ width, height }: ImageSize, tile: number): [number, number] {
  const up = (length: number) => Math.ceil(length / tile) * tile;
  const ratio = width / height;
  if (width >= height) return [up(width), up(Math.trunc(up(width) / ratio))];
  return [up(Math.trunc(up(height) * ratio)), up(height)];
}

function crop({ width, channels, data }: RawImage, left: number, top: number, side: number): RawImage {
  const out = new Uint8Array(side * side * channels);
  for (let y = 0; y < side; y++) {
    const start = ((top + y) * width + left) * channels;
    out.set(data.subarray(start, start + side * channels), y * side * channels);
  }
  return { width: side, height: side, channels, data: out };
}

/** (byte x rescale - mean) / std for every byte, each operation rounded to float32 as numpy does it. */
function normalisedValues(config: ImageProcessorConfig, channel: number): Float32Array {
  const [mean, std] = [Math.fround(config.mean[channel]!), Math.fround(config.std[channel]!)];
  return Float32Array.from(
    { length: 256 },
    (_, byte) => Math.fround(Math.fround(byte * config.rescaleFactor) - mean) / std,
  );
}

/** Encodes images: those of equal patch count run together, so that no padding and no mask is needed. */

import type { Params } from "../../compiler/tensor.ts";
import type { ImageFeatures } from "../../core/records.ts";
import { float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { LearnedPositions, VisionStack } from "../../models/model.ts";
import type { BlockFeeds, BlockStates, Compute, Keeping } from "./compute.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { blockOutput, visionHeadPrograms, visionStemPrograms } from "./programs.ts";
import type { WeightStore } from "./weight-store.ts";
import { windowFeeds } from "./window-feeds.ts";

/** Patches that one run of the tower takes at most. */
const MAX_PATCHES = 4096;

/** Encoded images by content hash, and what the backward pass needs. */
export interface EncodedImages {
  /** [tokens of the image x feature lines, language width] */
  readonly features: ReadonlyMap<string, Float32Array>;
  readonly runs: readonly VisionRun[];
}

interface VisionRun {
  readonly images: readonly ImageFeatures[];
  readonly feeds: VisionFeeds;
  readonly forward: BlockStates;
}

/**
 * Encodes distinct images; with `keeping`, what `backwardImages` needs is kept. With a cache (of features under these very
 * values) only images that it lacks are encoded, and it learns them.
 */
export async function encodeImages(
  compute: Compute,
  values: Params<TensorData>,
  images: Iterable<ImageFeatures>,
  o: { readonly keeping?: Keeping | null; readonly cache?: FeatureCache | null } = {},
): Promise<EncodedImages> {
  const { model } = compute;
  const { vision, language } = model;
  const { keeping = null, cache = null } = o;
  const features = new Map<string, Float32Array>();
  const runs: VisionRun[] = [];
  const missing: ImageFeatures[] = [];
  for (const image of images) {
    const known = cache?.get(image.sha256);
    if (known === undefined) missing.push(image);
    else features.set(image.sha256, known);
  }
  for (const batch of batchBySize(missing)) {
    const feeds = visionFeeds(vision, batch);
    const forward = await runVision(compute, values, feeds, keeping ?? headInputs(vision));
    const head = { ...headFeeds(vision, forward.states), ...values };
    const y = await compute.forward("vision.head", (trained) => visionHeadPrograms(model, trained), head);
    const size = (patchCount(batch[0]!) / vision.patchesPerToken) * language.featureLines * language.width;
    for (const [i, image] of batch.entries()) {
      const own = (y.data as Float32Array).slice(i * size, (i + 1) * size);
      features.set(image.sha256, own);
      cache?.set(image.sha256, own);
    }
    if (keeping !== null) runs.push({ images: batch, feeds, forward });
  }
  return { features, runs };
}

/** What the tower's parts need of a batch of images. */
export interface VisionFeeds {
  readonly stem: Params<TensorData>;
  readonly block: BlockFeeds;
}

/** Feeds of images of equal patch count. */
export function visionFeeds(vision: VisionStack, batch: readonly ImageFeatures[]): VisionFeeds {
  const count = patchCount(batch[0]!);
  const flat = batch.length * count;
  const tables = batch.map((image) => vision.rotary(image.grid));
  const shape = [batch.length, count, vision.headDim];
  const rotary = {
    cos: float32(shape, concatenated(tables.map((table) => table.cos))),
    sin: float32(shape, concatenated(tables.map((table) => table.sin))),
  };
  const { windows, learnedPositions } = vision;
  const within = windows === null ? rotary : { ...rotary, ...windowFeeds(batch.map(({ grid }) => windows.of(grid))) };
  const stem = {
    patches: float32([flat, vision.patchSize], concatenated(batch.map((image) => image.patches))),
    ...(learnedPositions === null ? {} : positionFeeds(learnedPositions, batch)),
  };
  return { stem, block: (index) => (windows?.hasWindows(index) ? within : rotary) };
}

function positionFeeds({ taps, of }: LearnedPositions, batch: readonly ImageFeatures[]): Params<TensorData> {
  const positions = batch.map(({ grid }) => of(grid));
  const weights = concatenated(positions.map((own) => own.weights));
  const lines = positions.flatMap((own) => Array.from(own.lines));
  const shape = [weights.length / taps, taps];
  return { positionLines: int32(shape, lines), positionWeights: float32(shape, weights) };
}

/** The stem's output and what each block leaves, as `Compute.blocks` gives them. */
export async function runVision(
  compute: Compute,
  values: Params<TensorData>,
  feeds: VisionFeeds,
  keep: Keeping | readonly number[],
): Promise<BlockStates> {
  const { model } = compute;
  const stem = { ...feeds.stem, ...values };
  const x = await compute.forward("vision.stem", (trained) => visionStemPrograms(model, trained), stem);
  return compute.blocks("vision.block", model.vision, values, x, feeds.block, keep);
}

/** What a block leaves is the input of the next: where the head's inputs are found among the states. */
const headInputs = (vision: VisionStack) => vision.headBlocks.map((block) => block + 1);

/** The head's inputs among a tower's states. */
export function headFeeds(vision: VisionStack, states: readonly TensorData[]): Params<TensorData> {
  return Object.fromEntries(vision.headBlocks.map((block) => [blockOutput(block), states[block + 1]!]));
}

/** Adds the tower's gradients for cotangents of the features, by content hash. */
export async function backwardImages(
  compute: Compute,
  store: WeightStore,
  encoded: EncodedImages,
  cotangents: ReadonlyMap<string, Float32Array>,
  budget: Keeping["budget"],
): Promise<void> {
  const { model } = compute;
  const { vision, language } = model;
  const width = language.featureLines * language.width;
  for (const { images, feeds, forward } of encoded.runs) {
    const dy = concatenated(images.map((image) => cotangents.get(image.sha256)!));
    const head = {
      ...headFeeds(vision, forward.states),
      "d.y": float32([dy.length / width, width], dy),
      ...store.values,
    };
    const headPrograms = (trained: readonly string[]) => visionHeadPrograms(model, trained);
    const headOptions = { store, weights: vision.headWeights, wrt: vision.headBlocks.map(blockOutput) };
    const dHead = await compute.backward("vision.head", headPrograms, head, headOptions);
    const dOutputs = new Map(vision.headBlocks.map((block) => [block, dHead[blockOutput(block)]!]));
    const dx = await compute.blocksBackward("vision.block", vision, store, forward, dOutputs, feeds.block, { budget });
    const stem = { ...feeds.stem, "d.y": dx, ...store.values };
    const stemPrograms = (trained: readonly string[]) => visionStemPrograms(model, trained);
    await compute.backward("vision.stem", stemPrograms, stem, { store, weights: vision.stemWeights, wrt: [] });
  }
}

function batchBySize(images: Iterable<ImageFeatures>): ImageFeatures[][] {
  const distinct = new Map<string, ImageFeatures>();
  for (const image of images) distinct.set(image.sha256, image);
  const bySize = new Map<number, ImageFeatures[]>();
  for (const image of distinct.values()) {
    const same = bySize.get(patchCount(image)) ?? [];
    bySize.set(patchCount(image), [...same, image]);
  }
  const batches: ImageFeatures[][] = [];
  for (const [count, same] of bySize) {
    const most = Math.max(1, Math.floor(MAX_PATCHES / count));
    for (let i = 0; i < same.length; i += most) batches.push(same.slice(i, i + most));
  }
  return batches;
}

const patchCount = ({ grid }: ImageFeatures) => grid[0] * grid[1] * grid[2];

/** All arrays after another. */
export function concatenated(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((total, array) => total + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return all;
}

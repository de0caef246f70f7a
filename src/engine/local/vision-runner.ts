/** Encodes images frame by frame: frames of equal patch count share a batch, so no padding or mask is needed. */

import type { Params } from "../../compiler/tensor.ts";
import type { ImageFeatures, ImageSite } from "../../core/records.ts";
import { concatenated, float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { LearnedPositions, Model, VisionStack } from "../../models/model.ts";
import { type AdapterPass, adapterFeeds } from "./adapter-feeds.ts";
import { holdAll } from "./arrays/arrays.ts";
import { type ActivationBudget, adapterModeOf, type BlockFeeds, type BlockStates, type Compute } from "./compute.ts";
import { type Dropout, rowKeys } from "./dropout.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { blockOutput, type ProgramPair, visionHeadPrograms, visionStemPrograms } from "./programs.ts";
import type { WeightStore } from "./weight-store.ts";
import { windowFeeds } from "./window-feeds.ts";

/** Maximum patches per run of the tower, unless a single frame has more. */
export const MAX_PATCHES = 4096;

/** Encoded images by content hash, and what the backward pass needs. */
export interface EncodedImages {
  /** [tokens of the image x feature levels, language width] */
  readonly features: ReadonlyMap<string, Float32Array>;
  readonly runs: readonly VisionRun[];
}

/** One frame of an image: a row of the tower's batch. */
export interface Frame extends Pick<ImageFeatures, "patches" | "grid"> {
  readonly image: ImageFeatures;
  readonly index: number;
}

export interface VisionRun {
  readonly frames: readonly Frame[];
  readonly feeds: VisionFeeds;
  readonly forward: BlockStates;
}

/**
 * Encodes distinct images; with `saving`, activations for `backwardImages` are saved. With a cache (of features under
 * exactly these values) only missing images are encoded, and then added to it.
 */
export async function encodeImages(
  compute: Compute,
  values: Params<TensorData>,
  images: Iterable<ImageFeatures>,
  o: {
    readonly saving?: ActivationBudget | null;
    readonly cache?: FeatureCache | null;
    readonly adapters?: AdapterPass | null;
  } = {},
): Promise<EncodedImages> {
  const { model } = compute;
  const { vision } = model;
  const { saving = null, cache = null, adapters = null } = o;
  const features = new Map<string, Float32Array>();
  const runs: VisionRun[] = [];
  const missing: ImageFeatures[] = [];
  for (const image of images) {
    const known = image.features ?? cache?.get(image.sha256);
    if (known === undefined) missing.push(image);
    else features.set(image.sha256, known);
  }
  for (const frames of batchBySize(missing)) {
    const feeds = visionFeeds(compute, frames, adapters);
    const forward = await runVision(compute, values, feeds, saving ?? headInputs(vision), changesOf(frames));
    const head = { ...headFeeds(vision, forward.states), ...feeds.head, ...values };
    const [key, programs] = headPrograms(model, feeds);
    const y = await compute.forward(key, programs, head);
    await compute.arrays.fetch([y], "image features");
    const size = y.data.length / frames.length;
    for (const [i, { image, index }] of frames.entries()) {
      const own = features.get(image.sha256) ?? new Float32Array(image.grid[0] * size);
      own.set((y.data as Float32Array).subarray(i * size, (i + 1) * size), index * size);
      features.set(image.sha256, own);
    }
    compute.arrays.release([y]);
    if (saving === null) releaseRun(compute, { feeds, forward });
    else runs.push({ frames, feeds, forward });
  }
  for (const { sha256 } of missing) cache?.set(sha256, features.get(sha256)!);
  return { features, runs };
}

/** Frees what a run of the tower keeps. */
function releaseRun({ arrays }: Compute, { feeds, forward }: Pick<VisionRun, "feeds" | "forward">): void {
  arrays.release([...forward.states, ...forward.kept.flatMap((own) => Object.values(own ?? {}))]);
  feeds.release();
}

/** The same for images that are not trained on after all. */
export function releaseImages(compute: Compute, { runs }: EncodedImages): void {
  for (const run of runs) releaseRun(compute, run);
}

/** Features of images by content hash, each encoded alone, so that results are bit-identical whatever the batch. */
export async function encodeEach(
  compute: Compute,
  values: Params<TensorData>,
  images: readonly ImageFeatures[],
  cache: FeatureCache,
): Promise<ReadonlyMap<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const image of images) {
    const { features } = await encodeImages(compute, values, [image], { cache });
    all.set(image.sha256, features.get(image.sha256)!);
  }
  return all;
}

/** Feeds of the tower's parts for a batch of frames. */
export interface VisionFeeds {
  readonly stem: Params<TensorData>;
  readonly block: BlockFeeds;
  /** Of the head's adapters. */
  readonly head: Params<TensorData>;
  release(): void;
}

/** The head's programs for these feeds, and their cache key. */
function headPrograms(model: Model, feeds: VisionFeeds): [string, (trained: readonly string[]) => ProgramPair] {
  const mode = adapterModeOf(feeds.head);
  const key = mode === null ? "vision.head" : `vision.head.${mode}`;
  return [key, (trained) => visionHeadPrograms(model, trained, mode)];
}

/** Feeds of frames of equal patch count. */
export function visionFeeds(
  { model, arrays }: Pick<Compute, "model" | "arrays">,
  batch: readonly Frame[],
  adapters: AdapterPass | null = null,
): VisionFeeds {
  const { vision } = model;
  const count = patchCount(batch[0]!);
  const flat = batch.length * count;
  const tables = batch.map(({ grid }) => vision.rotary(grid));
  const shape = [batch.length, count, vision.headDim / 2];
  const rotary = holdAll(arrays, {
    cos: float32(shape, concatenated(tables.map((table) => table.cos))),
    sin: float32(shape, concatenated(tables.map((table) => table.sin))),
  });
  const { windows, learnedPositions } = vision;
  const tablesOfWindows =
    windows === null ? {} : holdAll(arrays, windowFeeds(batch.map(({ grid }) => windows.of(grid))));
  const within = { ...rotary, ...tablesOfWindows };
  // Held, since the backward pass reads them again.
  const stem = holdAll(arrays, {
    patches: float32([flat, vision.patchSize], concatenated(batch.map(({ patches }) => patches))),
    ...(learnedPositions === null ? {} : positionFeeds(learnedPositions, batch)),
  });
  const plain: BlockFeeds = (index) => (windows?.hasWindows(index) ? within : rotary);
  const rowsOf = ({ key }: Dropout, perFrame: number) =>
    rowKeys(
      key,
      batch.flatMap(({ image, index }) =>
        Array.from({ length: perFrame }, (_, i) => [image.sha256, index * perFrame + i] as const),
      ),
    );
  const adapted = (names: readonly string[], prefix: string, perFrame: number) =>
    adapterFeeds(model, adapters, names, prefix, adapters?.mode === "masks" ? rowsOf(adapters.dropout, perFrame) : []);
  return {
    stem,
    block: (index) => ({ ...plain(index), ...adapted(vision.blockWeights, vision.blockPrefix(index), count) }),
    head: adapted(vision.headWeights, "", count / vision.patchesPerToken),
    release: () => arrays.release([...Object.values(within), ...Object.values(stem)]),
  };
}

function positionFeeds({ taps, of }: LearnedPositions, batch: readonly Frame[]): Params<TensorData> {
  const positions = batch.map(({ grid }) => of(grid));
  const weights = concatenated(positions.map((own) => own.weights));
  const rows = positions.flatMap((own) => Array.from(own.rows));
  const shape = [weights.length / taps, taps];
  return { positionRows: int32(shape, rows), positionWeights: float32(shape, weights) };
}

/** Runs the stem and all blocks; returns states as `Compute.blocks` does. */
export async function runVision(
  compute: Compute,
  values: Params<TensorData>,
  feeds: VisionFeeds,
  keep: ActivationBudget | readonly number[],
  change: Float32Array | null = null,
): Promise<BlockStates> {
  const { model, arrays } = compute;
  const stem = { ...feeds.stem, ...values };
  const x = await compute.forward("vision.stem", (trained) => visionStemPrograms(model, trained), stem);
  if (change !== null) {
    const added = arrays.hold(float32(x.shape, change));
    arrays.add([x], [added]);
    arrays.release([added]);
  }
  return compute.blocks("vision.block", model.vision, values, x, feeds.block, keep);
}

/** The changes of frames' embeddings, one frame after the other; null where there are none. */
function changesOf(frames: readonly Frame[]): Float32Array | null {
  const size = frames.map(({ image: { embeddingChange, grid } }) => (embeddingChange?.length ?? 0) / grid[0]);
  const most = Math.max(...size);
  if (most === 0) return null;
  const none = new Float32Array(most);
  return concatenated(
    frames.map(({ image, index }) => {
      return image.embeddingChange === undefined ? none : partOf(image.embeddingChange, image, index);
    }),
  );
}

/** A block's output is the next one's input: indices of the head's inputs among the states. */
const headInputs = (vision: VisionStack) => vision.headBlocks.map((block) => block + 1);

/** The head's inputs among a tower's states. */
export function headFeeds(vision: VisionStack, states: readonly TensorData[]): Params<TensorData> {
  return Object.fromEntries(vision.headBlocks.map((block) => [blockOutput(block), states[block + 1]!]));
}

/** Gradients of images at one site, in the shape of what stands there, by content hash. */
export interface ImageGradients {
  readonly site: ImageSite;
  readonly gradients: Map<string, Float32Array>;
}

/** Accumulates the tower's gradients from cotangents of the features, and those of images if they are asked for. */
export async function backwardImages(
  compute: Compute,
  store: WeightStore,
  encoded: EncodedImages,
  cotangents: ReadonlyMap<string, Float32Array>,
  budget: ActivationBudget["budget"],
  asked?: ImageGradients,
): Promise<void> {
  const { model } = compute;
  const { vision, language } = model;
  const width = language.featureLevels * language.width;
  if (asked?.site === "image_tokens") for (const [sha256, own] of cotangents) asked.gradients.set(sha256, own);
  for (const { frames, feeds, forward } of encoded.runs) {
    const dy = concatenated(frames.map(({ image, index }) => partOf(cotangents.get(image.sha256)!, image, index)));
    const head = {
      ...headFeeds(vision, forward.states),
      "d.y": float32([dy.length / width, width], dy),
      ...feeds.head,
      ...store.values,
    };
    const [key, programs] = headPrograms(model, feeds);
    const headOptions = { store, weights: vision.headWeights, wrt: vision.headBlocks.map(blockOutput) };
    const dHead = await compute.backward(key, programs, head, headOptions);
    const dOutputs = new Map(vision.headBlocks.map((block) => [block, dHead[blockOutput(block)]!]));
    compute.arrays.release(forward.states.slice(-1));
    const dx = await compute.blocksBackward("vision.block", vision, store, forward, dOutputs, feeds.block, { budget });
    const stem = { ...feeds.stem, "d.y": dx, ...store.values };
    if (asked?.site === "patch_embedding") {
      await compute.arrays.fetch([dx], "gradient of patch embeddings");
      scatterFrames(frames, dx.data as Float32Array, asked.gradients);
    }
    const wrt = asked?.site === "pixels" ? ["patches"] : [];
    const stemPrograms = (trained: readonly string[]) => visionStemPrograms(model, [...wrt, ...trained]);
    const stemKey = ["vision.stem", ...wrt].join(".");
    const dStem = await compute.backward(stemKey, stemPrograms, stem, { store, weights: vision.stemWeights, wrt });
    if (wrt.length > 0) {
      await compute.arrays.fetch([dStem["patches"]!], "gradient of patches");
      scatterFrames(frames, dStem["patches"]!.data as Float32Array, asked!.gradients);
    }
    compute.arrays.release([dx, ...dOutputs.values(), dStem["patches"]]);
    feeds.release();
  }
}

/** Writes a run's gradients, frame by frame, into those of their images. */
function scatterFrames(frames: readonly Frame[], data: Float32Array, gradients: Map<string, Float32Array>): void {
  const size = data.length / frames.length;
  for (const [i, { image, index }] of frames.entries()) {
    const own = gradients.get(image.sha256) ?? new Float32Array(image.grid[0] * size);
    own.set(data.subarray(i * size, (i + 1) * size), index * size);
    gradients.set(image.sha256, own);
  }
}

/** Batches the frames of distinct images by patch count. */
function batchBySize(images: Iterable<ImageFeatures>): Frame[][] {
  const distinct = new Map<string, ImageFeatures>();
  for (const image of images) distinct.set(image.sha256, image);
  const bySize = new Map<number, Frame[]>();
  for (const frame of [...distinct.values()].flatMap(framesOf)) {
    const same = bySize.get(patchCount(frame)) ?? [];
    same.push(frame);
    bySize.set(patchCount(frame), same);
  }
  const batches: Frame[][] = [];
  for (const [count, same] of bySize) {
    const most = Math.max(1, Math.floor(MAX_PATCHES / count));
    for (let i = 0; i < same.length; i += most) batches.push(same.slice(i, i + most));
  }
  return batches;
}

/** The frames of an image as images of one frame each. */
export function framesOf(image: ImageFeatures): Frame[] {
  const [frames, height, width] = image.grid;
  return Array.from({ length: frames }, (_, index) => {
    return { image, index, patches: partOf(image.patches, image, index), grid: [1, height, width] };
  });
}

/** The slice of a per-frame array that belongs to one frame. */
function partOf(numbers: Float32Array, { grid: [frames] }: ImageFeatures, index: number): Float32Array {
  const size = numbers.length / frames;
  return numbers.subarray(index * size, (index + 1) * size);
}

const patchCount = ({ grid }: Frame) => grid[0] * grid[1] * grid[2];

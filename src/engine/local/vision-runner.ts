/** Encodes images: those of equal patch count run together, so that no padding and no mask is needed. */

import type { Params } from "../../compiler/tensor.ts";
import type { ImageFeatures } from "../../core/records.ts";
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { Compute } from "./compute.ts";
import { visionHeadPrograms, visionStemPrograms } from "./programs.ts";
import type { WeightStore } from "./weight-store.ts";

/** Patches that one run of the tower takes at most. */
const MAX_PATCHES = 4096;

/** Encoded images by content hash, and what the backward pass needs. */
export interface EncodedImages {
  /** [tokens of the image, language width] */
  readonly features: ReadonlyMap<string, Float32Array>;
  readonly runs: readonly VisionRun[];
}

interface VisionRun {
  readonly images: readonly ImageFeatures[];
  readonly patches: TensorData;
  readonly feeds: Params<TensorData>;
  /** Each block's input, and the output of the last. */
  readonly states: readonly TensorData[];
}

/** Encodes distinct images; with `keep`, block inputs are kept for `backwardImages`. */
export async function encodeImages(
  compute: Compute,
  values: Params<TensorData>,
  images: Iterable<ImageFeatures>,
  keep: boolean,
): Promise<EncodedImages> {
  const { model } = compute;
  const { vision, language } = model;
  const features = new Map<string, Float32Array>();
  const runs: VisionRun[] = [];
  for (const batch of batchBySize(images)) {
    const count = patchCount(batch[0]!);
    const patches = float32(
      [batch.length * count, vision.patchSize],
      concatenated(batch.map((image) => image.patches)),
    );
    const tables = batch.map((image) => vision.rotary(image.grid));
    const shape = [batch.length, count, vision.headDim];
    const feeds = {
      cos: float32(shape, concatenated(tables.map((table) => table.cos))),
      sin: float32(shape, concatenated(tables.map((table) => table.sin))),
    };
    const stem = await compute.forward("vision.stem", (trained) => visionStemPrograms(model, trained), {
      patches,
      ...values,
    });
    const states = await compute.blocks("vision.block", vision, values, stem, feeds, keep);
    const head = { x: states.at(-1)!, ...values };
    const y = await compute.forward("vision.head", (trained) => visionHeadPrograms(model, trained), head);
    const size = (count / vision.patchesPerToken) * language.width;
    for (const [i, image] of batch.entries()) {
      features.set(image.sha256, (y.data as Float32Array).slice(i * size, (i + 1) * size));
    }
    if (keep) runs.push({ images: batch, patches, feeds, states });
  }
  return { features, runs };
}

/** Adds the tower's gradients for cotangents of the features, by content hash. */
export async function backwardImages(
  compute: Compute,
  store: WeightStore,
  encoded: EncodedImages,
  cotangents: ReadonlyMap<string, Float32Array>,
): Promise<void> {
  const { model } = compute;
  const { vision, language } = model;
  for (const { images, patches, feeds, states } of encoded.runs) {
    const dy = concatenated(images.map((image) => cotangents.get(image.sha256)!));
    const head = {
      x: states.at(-1)!,
      "d.y": float32([dy.length / language.width, language.width], dy),
      ...store.values,
    };
    const headPrograms = (trained: readonly string[]) => visionHeadPrograms(model, trained);
    const headOptions = { store, weights: vision.headWeights, wrt: ["x"] };
    const dHead = await compute.backward("vision.head", headPrograms, head, headOptions);
    const dx = await compute.blocksBackward("vision.block", vision, store, states, dHead["x"]!, feeds);
    const stem = { patches, "d.y": dx, ...store.values };
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

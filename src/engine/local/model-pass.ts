/** Runs a model below its heads, one micro-batch at a time, forward and, from what a head gives, backward. */
import type { Params } from "../../compiler/tensor.ts";
import type { ImageFeatures } from "../../core/records.ts";
import { float32, sizeOf, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import type { VectorKernels } from "../../nn/vector-kernels.ts";
import type { TrainingGroup } from "../engine.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import { addAt } from "./arrays/host-arrays.ts";
import type { ActivationBudget, BlockStates, Compute } from "./compute.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { type LanguageFeeds, languageFeeds } from "./language-feeds.ts";
import { imagesOf, layOut, type MicroBatch, packRows, splitRows } from "./packing.ts";
import { languageStemProgram } from "./programs.ts";
import { backwardImages, type EncodedImages, encodeImages, type ImageGradients } from "./vision-runner.ts";
import { visionNames, type WeightStore } from "./weight-store.ts";

export const DEFAULT_ACTIVATION_BYTES = 2e9;

export interface MicroBatchOptions {
  /** Maximum tokens of one micro-batch, including padding. */
  readonly microBatchTokens: number;
  /** Memory for saved activations, in bytes (default 2 GB); the rest is recomputed. */
  readonly activationBytes?: number;
  /** Image features under the current weights. */
  readonly features?: FeatureCache | null;
  /** Images of the batch that were already encoded under the trained weights. */
  readonly encoded?: EncodedForTraining | null;
  /** Feeds of adapters other than their matrices. */
  readonly adapters?: AdapterPass | null;
  /** Where the gradients of images at a site go, by content hash; absent: they are not computed. */
  readonly images?: ImageGradients;
}

/** Images encoded by a trained tower, with the activations saved within the budget. */
export interface EncodedForTraining {
  readonly images: EncodedImages;
  readonly saving: ActivationBudget;
}

/** Encodes the images of a training batch and saves the tower's activations for its backward pass. */
export async function encodeForTraining(
  compute: Compute,
  store: WeightStore,
  images: Iterable<ImageFeatures>,
  { activationBytes, adapters = null }: Pick<MicroBatchOptions, "activationBytes" | "adapters">,
): Promise<EncodedForTraining> {
  const saving = newActivationBudget(store, activationBytes);
  return { images: await encodeImages(compute, store.values, images, { saving, adapters }), saving };
}

function newActivationBudget({ trainable }: WeightStore, activationBytes = DEFAULT_ACTIVATION_BYTES): ActivationBudget {
  return { trainable, budget: { bytes: activationBytes } };
}

export function* microBatches(
  model: Model,
  groups: readonly TrainingGroup[],
  o: MicroBatchOptions,
): Generator<MicroBatch> {
  const budget = o.microBatchTokens;
  const { patchesPerToken } = model.vision;
  for (const rows of splitRows(packRows(groups, budget), budget)) {
    yield layOut(rows, model.language, model.imageTokenId, patchesPerToken);
  }
}

/** The last hidden states [flat, width] of a micro-batch. */
export async function runMicroBatch(
  compute: Compute,
  values: Params<TensorData>,
  micro: MicroBatch,
  encoded: EncodedImages,
  adapters: AdapterPass | null,
): Promise<TensorData> {
  const feeds = languageFeeds(compute, micro, encoded, adapters);
  const { states } = await runLanguage(compute, values, feeds);
  feeds.release();
  return states.at(-1)!;
}

/** What reads the last hidden states. */
export interface HeadPass {
  /** The weights that it reads; those of other heads are not reached. */
  readonly weights: readonly string[];
  /** Accumulates its weights' gradients, and adds that of the hidden states to `dHidden` [flat, width]. */
  run(micro: MicroBatch, hidden: TensorData, dHidden: TensorData): Promise<void>;
}

/** Runs the model and a head, and the model backwards from what the head gives: gradients accumulate in the store. */
export async function backwardFrom(
  compute: Compute,
  store: WeightStore,
  all: readonly TrainingGroup[],
  o: MicroBatchOptions,
  head: HeadPass,
): Promise<void> {
  const { model } = compute;
  const groups = all.filter(isComputed);
  const trainVision = o.images !== undefined || visionNames(model).some((name) => store.trainable.has(name));
  const adapters = o.adapters ?? null;
  const { images: encoded, saving } = trainVision
    ? (o.encoded ?? (await encodeForTraining(compute, store, imagesOf(groups), o)))
    : {
        images: await encodeImages(compute, store.values, imagesOf(groups), { cache: o.features ?? null }),
        saving: newActivationBudget(store, o.activationBytes),
      };
  const dFeatures = new Map([...encoded.features].map(([key, value]) => [key, new Float32Array(value.length)]));
  for (const micro of microBatches(model, groups, o)) {
    const feeds = languageFeeds(compute, micro, encoded, adapters);
    const forward = await runLanguage(compute, store.values, feeds, saving);
    const hidden = forward.states.at(-1)!;
    const dHidden = compute.arrays.zerosLike(hidden);
    await head.run(micro, hidden, dHidden);
    compute.arrays.release([hidden]);
    const addFeatures = async (gradient: TensorData) => {
      await compute.arrays.fetch([gradient], "gradient of image features");
      addToImages(store.kernels, dFeatures, micro, gradient);
      compute.arrays.release([gradient]);
    };
    const dx = await compute.blocksBackward(
      "language.block",
      model.language,
      store,
      forward,
      new Map([[model.language.depth - 1, dHidden]]),
      feeds.block,
      { budget: saving.budget, onFeatures: addFeatures },
    );
    await stemBackward(model, store, micro, feeds.stem, dx, trainVision ? addFeatures : null);
    compute.arrays.release([dx]);
    feeds.release();
  }
  if (trainVision) await backwardImages(compute, store, encoded, dFeatures, saving.budget, o.images);
  store.reach(reachedBy(model, store, all, head.weights));
}

/** Of a prompt without completions, and without predictions in place, nothing is. */
export function isComputed({ completions, inPlace }: TrainingGroup): boolean {
  return completions.length > 0 || inPlace !== undefined;
}

/** The trained weights that prompts reach, with completions or without: the tower's only if one has images, of heads their own. */
function reachedBy(
  model: Model,
  { trainable }: WeightStore,
  groups: readonly TrainingGroup[],
  headWeights: readonly string[],
): readonly string[] {
  if (groups.length === 0) return [];
  const { language, scoreHead } = model;
  const read = new Set([...language.stemWeights, ...headWeights]);
  const otherHeads = [...language.headWeights, scoreHead ?? ""].filter((name) => !read.has(name));
  const unreached = new Set([...otherHeads, ...(imagesOf(groups).length > 0 ? [] : visionNames(model))]);
  return [...trainable].filter((name) => !unreached.has(name));
}

/** Every layer's hidden states [rows x tokens, width] of a micro-batch, embeddings first; without `saving` the last only. */
export async function runLanguage(
  compute: Compute,
  values: Params<TensorData>,
  feeds: LanguageFeeds,
  saving: ActivationBudget | null = null,
): Promise<BlockStates> {
  const { model } = compute;
  const stem = { ...feeds.stem, ...values };
  const session = await compute.session(
    "language.stem",
    () => languageStemProgram(model),
    () => true,
  );
  const { y: x } = (await session.run(stem)) as { readonly y: TensorData };
  return compute.blocks("language.block", model.language, values, x, feeds.block, saving ?? []);
}

/**
 * The stem only gathers rows (`LanguageStack.stem`): each token's gradient is scatter-added to the row it came from, in
 * the embedding table or, if requested, among the image features.
 */
async function stemBackward(
  { language }: Model,
  store: WeightStore,
  micro: MicroBatch,
  { features }: LanguageFeeds["stem"],
  dx: TensorData,
  addFeatures: ((gradient: TensorData) => Promise<void>) | null,
): Promise<void> {
  const [table] = language.stemWeights;
  const { tokenIds, imageIndex } = micro;
  store.accumulateRows(
    table!,
    tokenIds.map((id, t) => (imageIndex[t]! < 0 ? id : -1)),
    dx,
  );
  if (addFeatures === null || micro.images.length === 0) return;
  await store.arrays.fetch([dx], "gradient of image tokens");
  const gradient = new Float32Array(sizeOf(features.shape));
  addAt(gradient, imageIndex, dx.data as Float32Array, language.width);
  await addFeatures(float32(features.shape, gradient));
}

/** Accumulates the gradient of a micro-batch's image features per image. */
function addToImages(
  { addInPlace }: VectorKernels,
  totals: ReadonlyMap<string, Float32Array>,
  micro: MicroBatch,
  gradient: TensorData,
): void {
  const data = gradient.data as Float32Array;
  let offset = 0;
  for (const image of micro.images) {
    const total = totals.get(image.sha256)!;
    addInPlace(total, data.subarray(offset, offset + total.length));
    offset += total.length;
  }
}

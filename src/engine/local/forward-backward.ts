/** Scores completions and differentiates their loss, one micro-batch at a time; the split does not change results. */

import type { TokenColumn, TokenLossVariant } from "../../algorithms/algorithm.ts";
import { sequenceLogRatio } from "../../algorithms/gspo.ts";
import type { Params } from "../../compiler/tensor.ts";
import type { ImageFeatures, TokenStat } from "../../core/records.ts";
import { concatenated, float32, int32, sizeOf, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import type { SamplingVariant } from "../../nn/sampling.ts";
import { EXCLUDED } from "../../nn/sampling.ts";
import type { VectorKernels } from "../../nn/vector-kernels.ts";
import type { ForwardBackwardResult, LogProbOptions, TokenBatch, TokenScores, TrainingGroup } from "../engine.ts";
import { atToken } from "../token-values.ts";
import { type AdapterPass, adapterFeeds } from "./adapter-feeds.ts";
import { type Arrays, holdAll } from "./arrays/arrays.ts";
import { addAt } from "./arrays/host-arrays.ts";
import type { ActivationBudget, BlockFeeds, BlockStates, Compute } from "./compute.ts";
import { rowKeys } from "./dropout.ts";
import type { FeatureCache } from "./feature-cache.ts";
import {
  causalMask,
  imagesOf,
  layOut,
  type MicroBatch,
  packRows,
  splitByWeight,
  splitRows,
  type TargetToken,
} from "./packing.ts";
import { languageStemProgram, lossProgram, scoreProgram } from "./programs.ts";
import { backwardImages, type EncodedImages, encodeImages } from "./vision-runner.ts";
import { visionNames, type WeightStore } from "./weight-store.ts";

/**
 * Maximum elements of [rows, vocabulary], unless that is fewer than 128 rows: the head's weight is read once per chunk.
 */
const MAX_LOGITS = 1 << 22;
const MIN_HEAD_ROWS = 128;

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
  /** Where the gradients of images' patches go, by content hash; absent: they are not computed. */
  readonly patches?: Map<string, Float32Array>;
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

/** Log-probs and entropies of every completion token under `values`. */
export async function scoreCompletions(
  compute: Compute,
  values: Params<TensorData>,
  groups: readonly TrainingGroup[],
  scoring: LogProbOptions,
  o: MicroBatchOptions,
): Promise<TokenScores> {
  const result = emptyScores(groups, scoring.tokenStats);
  const adapters = o.adapters ?? null;
  const images = imagesOf(groups.filter(isComputed));
  const encoded = await encodeImages(compute, values, images, { cache: o.features ?? null, adapters });
  for (const micro of microBatches(compute.model, groups, o)) {
    const hidden = await runMicroBatch(compute, values, micro, encoded, adapters);
    await scoreRows(compute, values, micro, hidden, scoring, result);
    compute.arrays.release([hidden]);
  }
  return result;
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

/** Computes log-probs and entropies of a micro-batch's tokens from the final hidden states, into `result`. */
async function scoreRows(
  compute: Compute,
  values: Params<TensorData>,
  micro: MicroBatch,
  hidden: TensorData,
  scoring: LogProbOptions,
  result: TokenScores,
): Promise<void> {
  const variant = variantOf(scoring);
  const stats = statsOf(result);
  const key = `score.${JSON.stringify([variant, stats])}`;
  const session = await compute.session(key, () => scoreProgram(compute.model, variant, stats));
  for (const rows of headChunks(micro, compute.model)) {
    const head = headFeeds(compute.arrays, rows, hidden);
    record(rows, await session.run({ ...head, ...samplingFeeds(compute, scoring), ...values }), result);
    compute.arrays.release([head["x"]]);
  }
}

/** Accumulates the gradient of the batch's loss in the store. */
export async function forwardBackward(
  compute: Compute,
  store: WeightStore,
  batch: TokenBatch,
  o: MicroBatchOptions,
): Promise<ForwardBackwardResult> {
  const { model } = compute;
  const { loss, scoring } = batch;
  const result = emptyScores(batch.groups.filter(isComputed));
  const variant = variantOf(scoring);
  const trainedHead = model.language.headWeights.filter((name) => store.trainable.has(name));
  const key = `loss.${loss.name}.${JSON.stringify([variant, loss.variant, trainedHead])}`;
  const session = await compute.session(
    key,
    () => lossProgram(model, variant, loss.name, loss.variant, trainedHead),
    isGradient,
  );
  const scalars = Object.fromEntries(
    Object.entries(loss.numbers).map(([name, value]) => [name, float32([], [Math.min(value, 3e38)])]),
  );
  let total = 0;
  const run: HeadPass["run"] = async (micro, hidden, dHidden) => {
    const whole = readsWholeCompletions(loss.variant);
    if (whole) await scoreRows(compute, store.values, micro, hidden, scoring, result);
    const logRatios = whole ? sequenceLogRatios(micro, result) : null;
    const { trained, scored } = splitByWeight(micro);
    if (scored.predictions.length > 0 && !whole)
      await scoreRows(compute, store.values, scored, hidden, scoring, result);
    for (const rows of headChunks(trained, model)) {
      const head = headFeeds(compute.arrays, rows, hidden);
      const feeds = {
        ...head,
        ...lossFeeds(rows, logRatios),
        ...samplingFeeds(compute, scoring),
        ...scalars,
        ...store.values,
      };
      const outputs = await session.run(feeds);
      total += outputs["loss"]!.data[0]!;
      record(rows, outputs, result);
      for (const name of trainedHead) store.accumulate(name, outputs[`d.${name}`]!);
      const sources = Int32Array.from(rows, ({ source }) => source);
      compute.arrays.addRows(dHidden, sources, outputs["d.x"]!);
      compute.arrays.release([head["x"], outputs["d.x"]]);
    }
  };
  await backwardFrom(compute, store, batch.groups, o, { weights: model.language.headWeights, run });
  return { ...result, loss: total, dropout: o.adapters?.mode === "masks" };
}

/** Which outputs of a head's program stay where the arrays lie. */
export const isGradient = (output: string) => output.startsWith("d.");

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
  const trainVision = o.patches !== undefined || visionNames(model).some((name) => store.trainable.has(name));
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
  if (trainVision) await backwardImages(compute, store, encoded, dFeatures, saving.budget, o.patches);
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
  if (addFeatures === null) return;
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

/** Feeds of the language model for a micro-batch. */
interface LanguageFeeds {
  readonly stem: Readonly<Record<"tokenIds" | "imageIndex" | "features", TensorData>>;
  readonly block: BlockFeeds;
  /** After the micro-batch. */
  release(): void;
}

export function languageFeeds(
  { model, arrays }: Compute,
  micro: MicroBatch,
  encoded: EncodedImages,
  adapters: AdapterPass | null = null,
): LanguageFeeds {
  const stem = holdAll(arrays, stemFeeds(model, micro, encoded)) as LanguageFeeds["stem"];
  const { features, imageIndex } = stem;
  const rows = holdAll(arrays, rowFeeds(model, micro));
  const { featureLevels, blockWeights, blockPrefix } = model.language;
  const keys = adapters?.mode === "masks" ? rowKeys(adapters.dropout.key, micro.owners) : [];
  const block: BlockFeeds = (index) => ({
    ...rows,
    ...adapterFeeds(model, adapters, blockWeights, blockPrefix(index), keys),
    ...(index + 1 < featureLevels ? { features, imageIndex, level: int32([], [index + 1]) } : {}),
  });
  return { stem, block, release: () => arrays.release([...Object.values(stem), ...Object.values(rows)]) };
}

function stemFeeds(model: Model, micro: MicroBatch, encoded: EncodedImages) {
  const { width } = model.language;
  const parts = micro.images.map((image) => encoded.features.get(image.sha256)!);
  const features = parts.length > 0 ? concatenated(parts) : new Float32Array(width);
  return {
    tokenIds: int32([micro.tokenIds.length], micro.tokenIds),
    imageIndex: int32([micro.imageIndex.length], micro.imageIndex),
    features: float32([features.length / width, width], features),
  };
}

function rowFeeds({ language }: Model, { positions, tokenIds, grids }: MicroBatch): Params<TensorData> {
  const { cos, sin } = language.rotary(positions);
  const table = [1, tokenIds.length, language.headDim / 2];
  const { rows, prompt, group, completion, promptTokens, completionTokens, placeOf, promptBias } = grids;
  return {
    cos: float32(table, cos),
    sin: float32(table, sin),
    promptTokens: int32([promptTokens.length], promptTokens),
    completionTokens: int32([completionTokens.length], completionTokens),
    placeOf: int32([placeOf.length], placeOf),
    promptBias: float32([rows, prompt], promptBias),
    promptMask: causalMask(prompt),
    completionMask: causalMask(completion),
    group: float32([group], new Float32Array(group)),
  };
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

/** Positions per chunk of the language-model head. */
export function headChunkRows({ language }: Model): number {
  return Math.max(MIN_HEAD_ROWS, Math.floor(MAX_LOGITS / language.vocabularySize));
}

export function* headChunks({ predictions }: MicroBatch, model: Model): Generator<readonly TargetToken[]> {
  const rows = headChunkRows(model);
  for (let i = 0; i < predictions.length; i += rows) yield predictions.slice(i, i + rows);
}

/** The hidden states `x` that predict these tokens, which the caller releases, and the tokens. */
export function headFeeds(arrays: Arrays, rows: readonly TargetToken[], hidden: TensorData): Params<TensorData> {
  const x = arrays.rows(
    hidden,
    Int32Array.from(rows, ({ source }) => source),
  );
  const targets = Int32Array.from(rows, ({ completion, offset }) => completion.tokenIds[offset]!);
  return { x, targets: int32([rows.length], targets) };
}

export function lossFeeds(
  rows: readonly TargetToken[],
  logRatios: ReadonlyMap<number, number> | null,
): Record<TokenColumn | "weight" | "entropyWeight", TensorData> {
  const column = (value: (row: TargetToken) => number) => float32([rows.length], Float32Array.from(rows, value));
  return {
    weight: column(({ completion, offset }) => atToken(completion.weight, offset)),
    entropyWeight: column(({ completion, offset }) => atToken(completion.entropyWeight ?? 0, offset)),
    advantage: column(({ completion, offset }) => atToken(completion.advantage, offset)),
    oldLogProb: column(({ completion, offset }) => completion.oldLogProbs?.[offset] ?? 0),
    refLogProb: column(({ completion, offset }) => completion.refLogProbs?.[offset] ?? 0),
    sequenceLogRatio: column(({ completion }) => logRatios?.get(completion.index) ?? 0),
  };
}

/** The loss needs log-probs of whole completions in advance, since head chunks can split a completion. */
function readsWholeCompletions({ onPolicy, level }: TokenLossVariant): boolean {
  return !onPolicy && level === "sequence";
}

/** Sequence log-ratios by index of the micro-batch's completions, from scores computed in advance. */
function sequenceLogRatios({ predictions }: MicroBatch, { logProbs }: TokenScores): ReadonlyMap<number, number> {
  const completions = new Set(predictions.map(({ completion }) => completion));
  return new Map(
    [...completions].map(({ index, oldLogProbs, mask }) => {
      return [index, sequenceLogRatio(logProbs[index]!, oldLogProbs!, mask)];
    }),
  );
}

/** Temperature and top-p, and the mask of never-sampled tokens, for any program that samples or scores. */
export function samplingFeeds(compute: Compute, o: LogProbOptions): Params<TensorData> {
  return {
    temperature: float32([], [o.temperature]),
    topP: float32([], [o.topP]),
    banned: bannedTokens(compute, o.allowVisionTokens),
  };
}

/** [vocabulary]: added to the logits so that image placeholders are never sampled, unless they are allowed. */
export function bannedTokens(compute: Compute, allowVisionTokens = false): TensorData {
  const { language, visionTokenIds } = compute.model;
  return compute.table(`banned.${allowVisionTokens}`, () => {
    const banned = new Float32Array(language.vocabularySize);
    if (!allowVisionTokens) for (const id of visionTokenIds) banned[id] = EXCLUDED;
    return float32([banned.length], banned);
  });
}

export function variantOf(o: LogProbOptions): SamplingVariant {
  const greedy = o.temperature === 0;
  return { greedy, topK: greedy ? 0 : o.topK, topP: !greedy && o.topP < 1 };
}

function emptyScores(groups: readonly TrainingGroup[], stats: readonly TokenStat[] = []): TokenScores {
  const zeros = () =>
    groups.flatMap(({ completions, inPlace }) =>
      [...(inPlace === undefined ? [] : [inPlace]), ...completions].map(
        ({ tokenIds }) => new Float32Array(tokenIds.length),
      ),
    );
  const told = stats.length === 0 ? {} : { stats: Object.fromEntries(stats.map((name) => [name, zeros()])) };
  return { logProbs: zeros(), entropies: zeros(), ...told };
}

function statsOf({ stats = {} }: TokenScores): readonly TokenStat[] {
  return Object.keys(stats) as TokenStat[];
}

function record(rows: readonly TargetToken[], outputs: Params<TensorData>, result: TokenScores): void {
  for (const [i, { completion, offset }] of rows.entries()) {
    result.logProbs[completion.index]![offset] = outputs["logProb"]!.data[i]!;
    result.entropies[completion.index]![offset] = outputs["entropy"]!.data[i]!;
    for (const name of statsOf(result)) {
      result.stats![name]![completion.index]![offset] = outputs[`stat.${name}`]!.data[i]!;
    }
  }
}

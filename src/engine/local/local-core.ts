/**
 * One set of trained weights in the worker thread, a model's own or an adapter's: gradients, moments, what is computed from
 * them. The frozen weights and the programs belong to the base, which adapters share.
 */
import type { Params } from "../../compiler/tensor.ts";
import { UserError } from "../../core/errors.ts";
import { randomKey } from "../../core/random.ts";
import type { ImageFeatures, ImageSite, Prompt } from "../../core/records.ts";
import { sizeOf, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import type { EngineOptions, OnWeight } from "../backend.ts";
import {
  type LiveOptions,
  type LogProbOptions,
  type LossGradients,
  type OptimStep,
  plainScoring,
  refusesAdapters,
  refusesDevice,
  type ScoredCompletions,
  SOFT_NEEDS,
  type SoftBatch,
  type SoftResult,
  type SoftStep,
  type TokenBatch,
  type TrainingGroup,
} from "../engine.ts";
import { atToken, requireTokenValues } from "../token-values.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import { holdAll } from "./arrays/arrays.ts";
import type { Compute } from "./compute.ts";
import { type DecodeJob, Decoder } from "./decoder.ts";
import type { Dropout } from "./dropout.ts";
import { FeatureCache } from "./feature-cache.ts";
import { forwardBackward, scoreCompletions } from "./forward-backward.ts";
import { variantOf } from "./head-chunks.ts";
import { imageMean } from "./image-mean.ts";
import { trainableOf } from "./local-model.ts";
import { lossGradients } from "./loss-gradients.ts";
import { MergedModel, mergedBytes } from "./merged-model.ts";
import { type EncodedForTraining, encodeForTraining, isComputed } from "./model-pass.ts";
import { imagesOf } from "./packing.ts";
import { loadAdapter, loadTrainingState, loadWeights, saveModel, saveTrainingState } from "./persistence.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { type DecodeOptions, type SampledGroup, type SamplingSeconds, sampleCompletions } from "./sampler.ts";
import { backwardByHead, scoreByHead } from "./score-head.ts";
import { selectImages } from "./selected-images.ts";
import { SharedBase } from "./shared-base.ts";
import { holdsCritic, SoftCriticState } from "./soft-critic.ts";
import { lastStates, softPass } from "./soft-pass.ts";
import { type PairHead, softCriticProgram, softPolicyProgram } from "./soft-programs.ts";
import { backwardTower, encodeTower, type TowerPass, towerFeatures } from "./tower.ts";
import { encodeEach, encodeImages, releaseImages } from "./vision-runner.ts";
import { randomWeights, visionNames, WeightStore } from "./weight-store.ts";

/** Another core's base, for an adapter on it. */
interface OnBase {
  readonly base: SharedBase;
  /** Whether completions are sampled from a copy of the weights with the adapter merged into it. */
  readonly merged: boolean;
  /** Weights to begin with in place of fresh ones, and what is merged from them. */
  readonly copied?: { readonly values: Params<TensorData>; readonly merged: MergedModel | null };
}

export class LocalCore {
  readonly #options: EngineOptions;
  readonly #base: SharedBase;
  readonly #model: Model;
  readonly #compute: Compute;
  /** The model with adapters merged, used for sampling, shared with snapshots of equal weights; null if they are not merged. */
  #merged: MergedModel | null;
  #store: WeightStore;
  #reference: Params<TensorData> | null = null;
  /** The critic of soft Q-learning and its target; null until the first pass. */
  #soft: SoftCriticState<LocalCore> | null = null;
  /** Live decoding under the current weights; null until the first request. */
  #live: Decoder | null = null;
  /** Encoded images of completions that are trained on next; null once used or once the weights change. */
  #encoded: EncodedForTraining | null = null;
  /** Whether training reads the merged weights that completions under the current adapters were sampled from. */
  #trainsMerged = false;
  /** Whether a snapshot has what is merged too. */
  #isShared = false;
  /** Completions that the next turn's prompts go on from. */
  readonly #prefixes: PrefixCache;
  /** What the tower encoded by itself for its backward pass. */
  #tower: TowerPass | null = null;
  /** Forward and backward passes since the last update. */
  #passes = 0;

  /** One on another core's base gives that; who makes a base closes it. */
  constructor(options: EngineOptions, on: OnBase | null = null, onWeight?: OnWeight) {
    const base = on?.base ?? new SharedBase(options, onWeight);
    this.#options = options;
    // Caches on a device keep no prefixes: each turn's prompt is computed whole.
    this.#prefixes = new PrefixCache(base.arrays.caches === null ? options.prefixBytes : 0);
    this.#base = base;
    const { lora = null, adapterFolder = null } = options;
    const { model, compute } = base.with(lora);
    this.#model = model;
    this.#compute = compute;
    const merges = lora !== null && on?.merged !== false && mergedBytes(model) > 0;
    this.#merged = merges ? new MergedModel(base.compute) : null;
    if (on?.copied !== undefined) this.#merged = on.copied.merged;
    const fresh = () => ({ ...base.values, ...holdAll(base.arrays, this.#freshAdapters(base.compute.model)) });
    const values = on?.copied?.values ?? fresh();
    const isFrozen = on !== null && lora === null; // another core's weights
    this.#store = new WeightStore(model, values, isFrozen ? new Set() : trainableOf(model, options), base.arrays);
    if (adapterFolder !== null) loadAdapter(adapterFolder, model, this.#store);
  }

  /** Whether what it trains is its own; else it is the base's. */
  get isAdapter(): boolean {
    return (this.#options.lora ?? null) !== null;
  }

  /** What adapters beside this one are opened on. */
  get base(): SharedBase {
    return this.#base;
  }

  /** The weights in memory, for tests and tools. */
  get store(): WeightStore {
    return this.#store;
  }

  get parameters(): number {
    return Object.values(this.#model.weights).reduce((total, { shape }) => total + sizeOf(shape), 0);
  }

  get contextLength(): number {
    return this.#model.language.maxPositions;
  }

  get vocabularySize(): number {
    return this.#model.language.vocabularySize;
  }

  async sample(
    prompts: readonly Prompt[],
    o: DecodeOptions,
    onGroup: (group: SampledGroup) => void,
  ): Promise<SamplingSeconds> {
    for (const [i, { tokenIds }] of prompts.entries()) {
      this.#checkContext(tokenIds.length, o.each?.[i]?.maxCompletionLength ?? o.maxCompletionLength);
    }
    for (const { tokenIds } of prompts) this.#checkTokens(tokenIds);
    const compute = this.#merged?.compute ?? this.#compute;
    const values = await this.#sampledValues();
    if (o.each === undefined) this.#prefixes.clear(); // the first turn of a rollout
    const images = prompts.flatMap((prompt) => prompt.images.slice(this.#prefixes.find(prompt)?.images.length ?? 0));
    const cache = this.#knownFeatures;
    if (o.trainsNext === true) this.#trainsMerged = true;
    const start = performance.now();
    const isKept = o.trainsNext === true && cache === null && (this.#model.adapterDropout ?? 0) === 0;
    const forTraining = { ...this.#options, adapters: await this.#mergedPass() };
    this.#encoded = isKept ? await encodeForTraining(this.#compute, this.#store, images, forTraining) : null;
    const features =
      this.#encoded?.images.features ??
      (o.each === undefined
        ? (await encodeImages(compute, values, images, { cache })).features
        : await encodeEach(compute, values, images, cache ?? new FeatureCache())); // whoever else has a next turn
    const seconds = (performance.now() - start) / 1000;
    const sampled = await sampleCompletions(compute, values, prompts, features, o, onGroup, this.#prefixes);
    return { images: seconds, ...sampled };
  }

  /** Adds a prompt to those that `advance` decodes; returns a function that cancels one completion, or all. */
  decode(
    prompt: Prompt,
    o: LiveOptions & Pick<DecodeOptions, "stopTokenIds">,
    { onToken, onEnd }: Pick<DecodeJob, "onToken" | "onEnd">,
  ): (completion?: number) => void {
    this.#checkContext(prompt.tokenIds.length, o.maxCompletionLength);
    this.#checkTokens(prompt.tokenIds);
    this.#live ??= this.#newDecoder();
    const key = randomKey(o.seed, "sample", o.step ?? 0, o.index ?? 0);
    return this.#live.add({ ...o, prompt, distribution: { ...o, topK: 0 }, key, onToken, onEnd });
  }

  /** Decodes one token for every open completion; returns whether any are left. An error ends all completions. */
  async advance(): Promise<boolean> {
    try {
      await this.#live?.advance();
    } catch (error) {
      this.#live?.fail(error as Error);
    }
    return this.decoding;
  }

  /** Whether `advance` has anything left to decode. */
  get decoding(): boolean {
    return this.#live?.idle === false;
  }

  async logProbs(groups: readonly TrainingGroup[], o: LogProbOptions, which: "policy" | "reference") {
    const values = which === "policy" ? this.#store.values : this.#reference;
    if (values === null) throw new Error("internal: no reference was frozen");
    this.#checkGroups(groups);
    const adapters = which === "policy" ? await this.#mergedPass() : null;
    const options = { ...this.#options, features: this.#knownFeatures, adapters };
    return scoreCompletions(this.#compute, values, groups, o, options);
  }

  /** The mean of each prompt's image tokens; an image is encoded by itself, so the batch changes nothing. */
  async embed(prompts: readonly Prompt[]): Promise<readonly Float32Array[]> {
    const cache = this.#knownFeatures ?? new FeatureCache();
    const means: Float32Array[] = [];
    for (const { images } of prompts) {
      const features = await encodeEach(this.#compute, this.#store.values, images, cache);
      const own = images.map(({ sha256 }) => features.get(sha256)!);
      means.push(imageMean(own, this.#model.language));
    }
    return means;
  }

  async forwardBackward(batch: TokenBatch) {
    this.#checkGroups(batch.groups);
    requireTokenValues(batch.groups);
    if (batch.scoring.allowVisionTokens !== true) this.#requireNoMarks(batch.groups);
    const dropout = this.#nextDropout();
    const adapters = dropout === null ? await this.#mergedPass() : ({ mode: "masks", dropout } as const);
    const encoded = this.#takeEncoded(batch.groups.filter(isComputed), adapters);
    const o = { ...this.#options, features: this.#knownFeatures, adapters, encoded };
    return forwardBackward(this.#compute, this.#store, batch, o);
  }

  async gradients(batch: TokenBatch, wrt: ImageSite | readonly string[]): Promise<LossGradients> {
    this.#checkGroups(batch.groups);
    requireTokenValues(batch.groups);
    const o = { ...this.#options, features: this.#knownFeatures, adapters: await this.#mergedPass() };
    return lossGradients(this.#compute, this.#store, batch, wrt, o);
  }

  get towerWidth(): number {
    const { featureLevels, width } = this.#model.language;
    return featureLevels * width;
  }

  /** Features of images; with `training`, kept for `backwardTower`. */
  async encodeTower(images: readonly ImageFeatures[], training: boolean): Promise<readonly Float32Array[]> {
    if (training) {
      this.#tower = await encodeTower(this.#compute, this.#store, images, this.#options);
      return towerFeatures(this.#tower);
    }
    const cache = this.#knownFeatures;
    const { features } = await encodeImages(this.#compute, this.#store.values, images, { cache });
    return images.map(({ sha256 }) => features.get(sha256)!);
  }

  async backwardTower(gradients: readonly Float32Array[]): Promise<void> {
    const pass = this.#tower;
    if (pass === null) throw new Error("internal: the tower has encoded nothing to train on");
    this.#tower = null;
    await backwardTower(this.#compute, this.#store, pass, gradients);
  }

  get hasScoreHead(): boolean {
    return this.#model.scoreHead !== undefined;
  }

  /** What the score head says of whole completions, group by group. */
  async scores(groups: readonly ScoredCompletions[]): Promise<readonly number[]> {
    this.#checkScored(groups);
    const o = { ...this.#options, features: this.#knownFeatures, adapters: await this.#mergedPass() };
    return scoreByHead(this.#compute, this.#store.values, groups, o);
  }

  async backwardScores(groups: readonly ScoredCompletions[], gradients: readonly number[]): Promise<void> {
    this.#checkScored(groups);
    const dropout = this.#nextDropout();
    const adapters = dropout === null ? await this.#mergedPass() : ({ mode: "masks", dropout } as const);
    const o = { ...this.#options, features: this.#knownFeatures, adapters };
    await backwardByHead(this.#compute, this.#store, groups, gradients, o);
  }

  /** Norms of the inputs of all blocks' linear layers over the prompts and completions of these groups. */
  inputNorms(groups: readonly TrainingGroup[]): Promise<ReadonlyMap<string, Float32Array>> {
    this.#checkGroups(groups);
    return this.#compute.inputNorms(() =>
      scoreCompletions(this.#compute, this.#store.values, groups, plainScoring, this.#options),
    );
  }

  async optimStep(o: OptimStep) {
    if ((o.importanceMasking ?? "none") !== "none" && (this.#options.lora ?? null) !== null)
      throw new UserError(refusesAdapters(o.importanceMasking!));
    if ((o.importanceMasking ?? "none") !== "none" && this.#base.arrays.memory !== null)
      throw new UserError(refusesDevice(o.importanceMasking!, this.#base.arrays.memory.device));
    this.#forgetPass();
    const result = await this.#store.step(o, this.#options.seed);
    const { memory } = this.#base.arrays;
    if (memory === null) return result;
    await memory.settle(); // the update's own failure, and its traffic
    return { ...result, device: memory.takeUse() };
  }

  /** Accumulates the gradient of −V under the target; `values` are V of each token's state. */
  async softPolicyPass({ groups, scoring, beta }: SoftBatch): Promise<SoftResult> {
    const { target } = this.#softState();
    const variant = variantOf(scoring);
    const [frozen, slow] = [await lastStates(this.#base, groups), await target.lastStates(groups)];
    return this.pairPass(groups, scoring, {
      key: `soft_policy.${JSON.stringify(variant)}`,
      program: () => softPolicyProgram(this.#model, variant),
      numbers: { beta },
      hidden: async (micro) => ({ "x.frozen": await frozen(micro), "x.critic": await slow(micro) }),
    });
  }

  /** Accumulates the critic's gradient; `values` are its values of the tokens. */
  async softCriticPass({ groups, scoring }: SoftBatch): Promise<SoftResult> {
    const { critic } = this.#softState();
    const frozen = await lastStates(this.#base, groups);
    return critic.pairPass(groups, scoring, {
      key: "soft_critic",
      program: () => softCriticProgram(this.#model),
      numbers: {},
      hidden: async (micro) => ({ "x.frozen": await frozen(micro) }),
    });
  }

  /** One update of policy and critic, and the target after it. */
  async softStep({ policy, critic, polyak }: SoftStep) {
    const soft = this.#softState();
    const results = { policy: await this.optimStep(policy), critic: await soft.step(critic, polyak) };
    await this.#base.arrays.memory?.settle();
    return results;
  }

  /** The last hidden states of micro-batches of these groups under these weights. */
  lastStates(groups: readonly TrainingGroup[]) {
    const { values } = this.#store;
    return lastStates({ compute: this.#compute, values, features: this.#knownFeatures }, groups);
  }

  /** A forward and backward pass under another head than a token loss's. */
  async pairPass(groups: readonly TrainingGroup[], scoring: LogProbOptions, pair: PairHead): Promise<SoftResult> {
    this.#checkGroups(groups);
    const adapters = await this.#mergedPass();
    const encoded = this.#takeEncoded(groups.filter(isComputed), adapters);
    const o = { ...this.#options, features: this.#knownFeatures, adapters, encoded };
    return softPass(this.#compute, this.#store, { groups, scoring }, o, pair);
  }

  freezeReference(keep: boolean): void {
    this.#releaseReference();
    this.#reference = keep ? this.#store.copyValues() : null;
  }

  resetOptimizer(): void {
    this.#passes = 0;
    this.#soft?.release();
    this.#soft = null;
    this.#store.restoreOptimizer(0);
  }

  /** Makes all that `save` writes readable, where it lies on a device. */
  async fetch(): Promise<void> {
    await this.#store.fetch();
    await this.#base.arrays.fetch(Object.values(this.#reference ?? {}), "reference");
    await this.#soft?.fetch();
  }

  /** Ends that. */
  forget(): void {
    this.#store.forget();
    this.#base.arrays.forget(Object.values(this.#reference ?? {}));
    this.#soft?.forget();
  }

  /** Writes the model; with `training`, also optimiser moments and the reference. */
  save(folder: string, training: boolean): void {
    saveModel(folder, this.#model, this.#store.values, this.#options);
    if (!training) return;
    saveTrainingState(folder, this.#store, this.#reference);
    this.#soft?.save(folder);
  }

  /** Restores what `save` with `training` wrote. */
  load(folder: string): void {
    this.#forgetPass();
    this.#releaseReference();
    this.#store = loadWeights(folder, this.#model, this.#store, this.#options);
    this.#reference = loadTrainingState(folder, this.#model, this.#store);
    this.#soft?.release();
    this.#soft = null;
    if (holdsCritic(folder)) this.#softState().load(folder);
  }

  get hasReference(): boolean {
    return this.#reference !== null;
  }

  /** Closes the base with its programs. */
  async close(): Promise<void> {
    await this.#base.close();
  }

  /**
   * The weights as they are now, to sample from while these are trained; what is merged from them is shared. Training goes on
   * beside the weights: what a pass computes does not depend on whether a snapshot was taken, so a loaded state goes on alike.
   */
  snapshot(): LocalCore {
    this.#isShared = this.#merged !== null;
    const copied = { values: this.#store.copyValues(), merged: this.#merged };
    return new LocalCore({ ...this.#options, adapterFolder: null }, { base: this.#base, merged: true, copied });
  }

  /** Where the adapters are merged into; null if they are not. */
  get merged(): MergedModel | null {
    return this.#merged;
  }

  /** Frees the copy of the weights that the adapters are merged into; the next sample makes it again. */
  forgetMerged(): void {
    this.#merged?.forget();
    if (!this.decoding) this.#live = null;
  }

  /** The critic beside this policy, new where there is none. Throws UserError where the policy is no adapter of this kind. */
  #softState(): SoftCriticState<LocalCore> {
    if (this.#soft !== null) return this.#soft;
    if ((this.#options.lora ?? null) === null || (this.#model.adapterDropout ?? 0) > 0) throw new UserError(SOFT_NEEDS);
    if (this.#model.language.headWeights.some((name) => this.#store.trainable.has(name))) {
      throw new UserError(
        "soft_q: the language model's head is shared with the critic: leave it out of target_modules",
      );
    }
    // Another seed than the policy's, the same for both.
    const o = { ...this.#options, adapterFolder: null, seed: this.#options.seed + 1 };
    this.#soft = new SoftCriticState(() => new LocalCore(o, { base: this.#base, merged: false }));
    return this.#soft;
  }

  /** The dropout key of the next pass: each pass of each update has its own, and a resumed run has the same ones. */
  #nextDropout(): Dropout | null {
    const rate = this.#model.adapterDropout ?? 0;
    if (rate === 0) return null;
    const key = randomKey(this.#options.seed, "lora_dropout", this.#store.optimizer.steps, this.#passes++);
    return { rate, key };
  }

  /** What sampling kept of the groups' images, if it had them all; it serves once. */
  #takeEncoded(groups: readonly TrainingGroup[], adapters: AdapterPass | null): EncodedForTraining | null {
    const kept = this.#encoded;
    this.#encoded = null;
    const asked = new Set(imagesOf(groups).map(({ sha256 }) => sha256));
    if (kept === null) return null;
    if (![...asked].every((sha) => kept.images.features.has(sha))) {
      releaseImages(this.#compute, kept.images);
      return null;
    }
    if (this.#base.arrays.memory === null) return selectImages(this.#compute, kept, asked, adapters);
    if (asked.size === kept.images.features.size) return kept;
    releaseImages(this.#compute, kept.images); // what others kept cannot be cut out there
    return null;
  }

  /** Cached image features of a frozen tower, shared by policy and reference. */
  get #knownFeatures(): FeatureCache | null {
    return visionNames(this.#model).some((name) => this.#store.trainable.has(name)) ? null : this.#base.features;
  }

  #newDecoder(): Decoder {
    const compute = this.#merged?.compute ?? this.#compute;
    const values = this.#sampledValues();
    const cache = this.#knownFeatures ?? new FeatureCache();
    return new Decoder(compute, values, {
      rows: this.#options.rows,
      cacheBytes: this.#options.cacheBytes ?? Infinity,
      forks: this.#options.prefixBytes !== 0,
      encode: async ({ images }) => encodeEach(compute, await values, images, cache),
    });
  }

  /** The weights that completions are sampled from: with the adapters merged, where they are. */
  async #sampledValues(): Promise<Params<TensorData>> {
    if (this.#merged === null) return this.#store.values;
    this.#base.keepMerged(this);
    return this.#merged.values(this.#store.values);
  }

  /** The merged weights for training, where completions were sampled from them; null: adapters beside the weights. */
  async #mergedPass(): Promise<AdapterPass | null> {
    if (this.#merged === null || !this.#trainsMerged) return null;
    return { mode: "sums", sums: await this.#sampledValues() };
  }

  /** Initial adapter weights, including scales. */
  #freshAdapters(base: Model): Params<TensorData> {
    const added = Object.entries(this.#model.weights).filter(([name]) => base.weights[name] === undefined);
    return randomWeights(Object.fromEntries(added), this.#options.seed);
  }

  #releaseReference(): void {
    const own = Object.entries(this.#reference ?? {}).filter(([name, value]) => value !== this.#store.values[name]);
    this.#base.arrays.release(own.map(([, value]) => value));
  }

  /** Drops everything computed from weights that are about to change. */
  #forgetPass(): void {
    this.#live = null;
    if (this.#encoded !== null) releaseImages(this.#compute, this.#encoded.images);
    this.#encoded = null;
    if (this.#tower !== null) releaseImages(this.#compute, this.#tower.encoded.images);
    this.#tower = null;
    this.#trainsMerged = false;
    this.#prefixes.clear();
    if (this.#isShared)
      this.#merged = new MergedModel(this.#base.compute); // the other is the snapshot's from now on
    else this.#merged?.forget();
    this.#isShared = false;
    this.#passes = 0;
  }

  #checkGroups(groups: readonly TrainingGroup[]): void {
    for (const { prompt, completions, inPlace } of groups) {
      this.#checkTokens(prompt.tokenIds);
      for (const { tokenIds } of completions) this.#checkContext(prompt.tokenIds.length, tokenIds.length);
      for (const { tokenIds } of completions) this.#checkTokens(tokenIds);
      if (inPlace === undefined) continue;
      this.#checkContext(prompt.tokenIds.length, 0);
      this.#checkTokens(inPlace.tokenIds);
    }
  }

  #checkScored(groups: readonly ScoredCompletions[]): void {
    const weightless = ({ prompt, completions }: ScoredCompletions): TrainingGroup => {
      return { prompt, completions: completions.map((tokenIds) => ({ tokenIds, weight: 0, advantage: 0 })) };
    };
    this.#checkGroups(groups.map(weightless));
  }

  /** Under a distribution without the marks of images a loss on one would be a number without meaning. */
  #requireNoMarks(groups: readonly TrainingGroup[]): void {
    const marks = new Set(this.#model.visionTokenIds);
    for (const { completions, inPlace } of groups) {
      for (const { tokenIds, weight } of inPlace === undefined ? completions : [inPlace, ...completions]) {
        const at = tokenIds.findIndex((id, i) => marks.has(id) && atToken(weight, i) !== 0);
        if (at < 0) continue;
        throw new UserError(`token ${tokenIds[at]} marks an image, which the model never predicts: give it weight 0`);
      }
    }
  }

  /** Ids outside the vocabulary would be read from elsewhere in memory. */
  #checkTokens(ids: Int32Array): void {
    const { vocabularySize } = this.#model.language;
    const unknown = ids.find((id) => id < 0 || id >= vocabularySize);
    if (unknown === undefined) return;
    throw new UserError(`token ${unknown} is not in the model's vocabulary of ${vocabularySize} tokens`);
  }

  #checkContext(promptLength: number, completionLength: number): void {
    const { maxPositions } = this.#model.language;
    if (promptLength + completionLength > maxPositions) {
      throw new UserError(
        `a prompt of ${promptLength} tokens and a completion of ${completionLength} do not fit the model's context of ${maxPositions} tokens; lower max_completion_length or the image size`,
      );
    }
  }
}

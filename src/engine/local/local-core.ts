/**
 * One set of trained weights in the worker thread, a model's own or an adapter's: gradients, moments, what is computed from
 * them. The frozen weights and the programs belong to the base, which adapters share.
 */
import type { Params } from "../../compiler/tensor.ts";
import { randomKey } from "../../core/random.ts";
import type { ImageSite, Prompt } from "../../core/records.ts";
import { sizeOf, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import type { EngineOptions, OnWeight } from "../backend.ts";
import {
  type LiveOptions,
  type LogProbOptions,
  type LossGradients,
  type OptimStep,
  plainScoring,
  type ScoredCompletions,
  type SoftResult,
  type TokenBatch,
  type TrainingGroup,
} from "../engine.ts";
import { requireTokenValues } from "../token-values.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import { holdAll } from "./arrays/arrays.ts";
import type { Compute } from "./compute.ts";
import { type DecodeJob, Decoder } from "./decoder.ts";
import type { Dropout } from "./dropout.ts";
import { FeatureCache } from "./feature-cache.ts";
import { forwardBackward, scoreCompletions } from "./forward-backward.ts";
import { FrozenReference } from "./frozen-reference.ts";
import { promptMeans } from "./image-mean.ts";
import { KeptImages } from "./kept-images.ts";
import { LiveDecoding } from "./live-decoding.ts";
import { trainableOf } from "./local-model.ts";
import { lossGradients } from "./loss-gradients.ts";
import { MergedModel, mergedBytes } from "./merged-model.ts";
import { encodeForTraining, isComputed } from "./model-pass.ts";
import { tokensOf } from "./packing.ts";
import { loadAdapter, loadTrainingState, loadWeights, saveModel, saveTrainingState } from "./persistence.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { checkContext, checkGroups, checkScored, checkTokens, checkUpdate, requireNoMarks } from "./request-checks.ts";
import { SampledWeights } from "./sampled-weights.ts";
import { type DecodeOptions, type SampledGroup, type SamplingSeconds, sampleCompletions } from "./sampler.ts";
import { backwardByHead, scoreByHead } from "./score-head.ts";
import { SharedBase } from "./shared-base.ts";
import { holdsCritic, requireSoft, SoftCriticState } from "./soft-critic.ts";
import { lastStates, softPass } from "./soft-pass.ts";
import type { PairHead } from "./soft-programs.ts";
import { Tower } from "./tower.ts";
import { encodeEach, encodeImages } from "./vision-runner.ts";
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
  /** What adapters beside this one are opened on. */
  readonly base: SharedBase;
  /** The vision tower by itself. */
  readonly tower: Tower;
  readonly #options: EngineOptions;
  readonly #model: Model;
  readonly #compute: Compute;
  readonly #sampled: SampledWeights;
  #store: WeightStore;
  readonly #reference: FrozenReference;
  /** The critic of soft Q-learning and its target; null until the first pass. */
  #soft: SoftCriticState | null = null;
  /** Under the current weights. */
  readonly #live: LiveDecoding;
  /** What sampling encoded of completions that are trained on next. */
  readonly #encoded: KeptImages;
  /** Completions that the next turn's prompts go on from. */
  readonly #prefixes: PrefixCache;
  /** Forward and backward passes since the last update. */
  #passes = 0;

  /** One on another core's base gives that; who makes a base closes it. */
  constructor(options: EngineOptions, on: OnBase | null = null, onWeight?: OnWeight) {
    const base = on?.base ?? new SharedBase(options, onWeight);
    this.#options = options;
    // Caches on a device keep no prefixes: each turn's prompt is computed whole.
    this.#prefixes = new PrefixCache(base.arrays.caches === null ? options.prefixBytes : 0);
    this.base = base;
    const { lora = null, adapterFolder = null } = options;
    const { model, compute } = base.with(lora);
    this.#model = model;
    this.#compute = compute;
    const merges = lora !== null && on?.merged !== false && mergedBytes(model) > 0;
    const merged = on?.copied !== undefined ? on.copied.merged : merges ? new MergedModel(base.compute) : null;
    const sharing = { isShared: on?.copied !== undefined, isGuest: on !== null };
    this.#sampled = new SampledWeights(base, compute, merged, sharing);
    this.#encoded = new KeptImages(compute);
    this.#reference = new FrozenReference(base.arrays);
    this.#live = new LiveDecoding(
      () => this.#sampled.lend(this.#store.values),
      (values) => this.#newDecoder(values),
    );
    this.tower = new Tower(compute, () => ({ ...options, store: this.#store, features: this.#knownFeatures }));
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
      checkContext(this.#model, tokenIds.length, o.each?.[i]?.maxCompletionLength ?? o.maxCompletionLength);
    }
    for (const { tokenIds } of prompts) checkTokens(this.#model, tokenIds);
    const { compute } = this.#sampled;
    const values = await this.#sampled.values(this.#store.values);
    if (o.each === undefined) this.#prefixes.clear(); // the first turn of a rollout
    const images = prompts.flatMap((prompt) => prompt.images.slice(this.#prefixes.find(prompt)?.images.length ?? 0));
    const cache = this.#knownFeatures;
    if (o.trainsNext === true) this.#sampled.trainNext();
    const start = performance.now();
    const isKept = o.trainsNext === true && cache === null && (this.#model.adapterDropout ?? 0) === 0;
    const forTraining = { ...this.#options, adapters: await this.#mergedPass([]) };
    const kept = isKept ? await encodeForTraining(this.#compute, this.#store, images, forTraining) : null;
    this.#encoded.keep(kept);
    const features =
      kept?.images.features ??
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
    checkContext(this.#model, prompt.tokenIds.length, o.maxCompletionLength);
    checkTokens(this.#model, prompt.tokenIds);
    const key = randomKey(o.seed, "sample", o.step ?? 0, o.index ?? 0);
    return this.#live.add({ ...o, prompt, distribution: { ...o, topK: 0 }, key, onToken, onEnd });
  }

  /** Decodes one token for every open completion; returns whether any are left. An error ends all completions. */
  advance(): Promise<boolean> {
    return this.#live.advance();
  }

  /** Whether `advance` has anything left to decode. */
  get decoding(): boolean {
    return this.#live.decoding;
  }

  async logProbs(groups: readonly TrainingGroup[], o: LogProbOptions, which: "policy" | "reference") {
    const values = which === "policy" ? this.#store.values : this.#reference.values;
    if (values === null) throw new Error("internal: no reference was frozen");
    checkGroups(this.#model, groups);
    const pass = await this.#pass(groups, which);
    return scoreCompletions(this.#compute, values, groups, o, pass);
  }

  /** The mean of each prompt's image tokens; an image is encoded by itself, so the batch changes nothing. */
  embed(prompts: readonly Prompt[]): Promise<readonly Float32Array[]> {
    return promptMeans(this.#compute, this.#store.values, prompts, this.#knownFeatures ?? new FeatureCache());
  }

  async forwardBackward(batch: TokenBatch) {
    checkGroups(this.#model, batch.groups);
    requireTokenValues(batch.groups);
    if (batch.scoring.allowVisionTokens !== true) requireNoMarks(this.#model, batch.groups);
    const pass = await this.#trainingPass(batch.groups);
    const encoded = this.#encoded.take(batch.groups.filter(isComputed), pass.adapters);
    return forwardBackward(this.#compute, this.#store, batch, { ...pass, encoded });
  }

  async gradients(batch: TokenBatch, wrt: ImageSite | readonly string[]): Promise<LossGradients> {
    checkGroups(this.#model, batch.groups);
    requireTokenValues(batch.groups);
    return lossGradients(this.#compute, this.#store, batch, wrt, await this.#pass([]));
  }

  get hasScoreHead(): boolean {
    return this.#model.scoreHead !== undefined;
  }

  /** What the score head says of whole completions, group by group. */
  async scores(groups: readonly ScoredCompletions[]): Promise<readonly number[]> {
    checkScored(this.#model, groups);
    return scoreByHead(this.#compute, this.#store.values, groups, await this.#pass([]));
  }

  async backwardScores(groups: readonly ScoredCompletions[], gradients: readonly number[]): Promise<void> {
    checkScored(this.#model, groups);
    await backwardByHead(this.#compute, this.#store, groups, gradients, await this.#trainingPass([]));
  }

  /** Norms of the inputs of all blocks' linear layers over the prompts and completions of these groups. */
  inputNorms(groups: readonly TrainingGroup[]): Promise<ReadonlyMap<string, Float32Array>> {
    checkGroups(this.#model, groups);
    return this.#compute.inputNorms(() =>
      scoreCompletions(this.#compute, this.#store.values, groups, plainScoring, this.#options),
    );
  }

  async optimStep(o: OptimStep) {
    const { memory } = this.base.arrays;
    checkUpdate(o, { isAdapter: this.isAdapter, device: memory?.device ?? null });
    this.#forgetPass();
    const result = await this.#store.step(o, this.#options.seed);
    if (memory === null) return result;
    await memory.settle(); // the update's own failure, and its traffic
    return { ...result, device: memory.takeUse() };
  }

  /** The critic beside this policy, new where there is none. Throws UserError where the policy is no adapter of this kind. */
  get soft(): SoftCriticState {
    if (this.#soft !== null) return this.#soft;
    requireSoft(this.#model, this.#store);
    // Another seed than the policy's, the same for both.
    const o = { ...this.#options, adapterFolder: null, seed: this.#options.seed + 1 };
    this.#soft = new SoftCriticState(this, this.base, () => new LocalCore(o, { base: this.base, merged: false }));
    return this.#soft;
  }

  /** The last hidden states of micro-batches of these groups under these weights. */
  lastStates(groups: readonly TrainingGroup[]) {
    const { values } = this.#store;
    return lastStates({ compute: this.#compute, values, features: this.#knownFeatures }, groups);
  }

  /** A forward and backward pass under another head than a token loss's. */
  async pairPass(groups: readonly TrainingGroup[], scoring: LogProbOptions, pair: PairHead): Promise<SoftResult> {
    checkGroups(this.#model, groups);
    const pass = await this.#pass(groups);
    const encoded = this.#encoded.take(groups.filter(isComputed), pass.adapters);
    return softPass(this.#compute, this.#store, { groups, scoring }, { ...pass, encoded }, pair);
  }

  freezeReference(keep: boolean): void {
    this.#reference.freeze(keep ? this.#store.copyValues() : null, this.#store);
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
    await this.#reference.fetch();
    await this.#soft?.fetch();
  }

  /** Ends that. */
  forget(): void {
    this.#store.forget();
    this.#reference.forget();
    this.#soft?.forget();
  }

  /** Writes the model; with `training`, also optimiser moments and the reference. */
  save(folder: string, training: boolean): void {
    saveModel(folder, this.#model, this.#store.values, this.#options);
    if (!training) return;
    saveTrainingState(folder, this.#store, this.#reference.values);
    this.#soft?.save(folder);
  }

  /** Restores what `save` with `training` wrote. */
  load(folder: string): void {
    this.#forgetPass();
    this.freezeReference(false);
    this.#store = loadWeights(folder, this.#model, this.#store, this.#options);
    this.#reference.freeze(loadTrainingState(folder, this.#model, this.#store), this.#store);
    this.#soft?.release();
    this.#soft = null;
    if (holdsCritic(folder)) this.soft.load(folder);
  }

  get hasReference(): boolean {
    return this.#reference.values !== null;
  }

  /** Closes the base with its programs. */
  async close(): Promise<void> {
    await this.base.close();
  }

  /**
   * The weights as they are now, to sample from while these are trained; what is merged from them is shared. Training goes on
   * beside the weights: what a pass computes does not depend on whether a snapshot was taken, so a loaded state goes on alike.
   */
  snapshot(): LocalCore {
    const copied = { values: this.#store.copyValues(), merged: this.#sampled.share() };
    return new LocalCore({ ...this.#options, adapterFolder: null }, { base: this.base, merged: true, copied });
  }

  /** The dropout key of the next pass: each pass of each update has its own, and a resumed run has the same ones. */
  #nextDropout(): Dropout | null {
    const rate = this.#model.adapterDropout ?? 0;
    if (rate === 0) return null;
    const key = randomKey(this.#options.seed, "lora_dropout", this.#store.optimizer.steps, this.#passes++);
    return { rate, key };
  }

  /** Cached image features of a frozen tower, shared by policy and reference. */
  get #knownFeatures(): FeatureCache | null {
    return visionNames(this.#model).some((name) => this.#store.trainable.has(name)) ? null : this.base.features;
  }

  #newDecoder(values: () => Promise<Params<TensorData>>): Decoder {
    const { compute } = this.#sampled;
    const cache = this.#knownFeatures ?? new FeatureCache();
    return new Decoder(compute, values, {
      rows: this.#options.rows,
      cacheBytes: this.#options.cacheBytes ?? Infinity,
      forks: this.#options.prefixBytes !== 0,
      encode: async ({ images }) => encodeEach(compute, await values(), images, cache),
    });
  }

  /** What a pass over these groups is computed with that only reads the weights. The reference's are never merged. */
  async #pass(groups: readonly TrainingGroup[], which: "policy" | "reference" = "policy") {
    const adapters = which === "policy" ? await this.#mergedPass(groups) : null;
    return { ...this.#options, features: this.#knownFeatures, adapters };
  }

  /** The same for a pass that trains, under dropout of its own. */
  async #trainingPass(groups: readonly TrainingGroup[]) {
    const dropout = this.#nextDropout();
    if (dropout === null) return this.#pass(groups);
    const adapters: AdapterPass = { mode: "masks", dropout };
    return { ...this.#options, features: this.#knownFeatures, adapters };
  }

  /** The merged weights for a pass over these groups, or null; it depends on them and on what was sampled to train on alone. */
  #mergedPass(groups: readonly TrainingGroup[]): Promise<AdapterPass | null> {
    return this.#sampled.pass(this.#store.values, tokensOf(groups));
  }

  /** Initial adapter weights, including scales. */
  #freshAdapters(base: Model): Params<TensorData> {
    const added = Object.entries(this.#model.weights).filter(([name]) => base.weights[name] === undefined);
    return randomWeights(Object.fromEntries(added), this.#options.seed);
  }

  /** Drops everything computed from weights that are about to change. */
  #forgetPass(): void {
    this.#live.end();
    this.#encoded.forget();
    this.tower.forget();
    this.#sampled.forget();
    this.#prefixes.clear();
    this.#passes = 0;
  }
}

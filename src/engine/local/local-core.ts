/** The local engine itself, as it lives in its worker: weights, programs, optimiser. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { QuantizedBits } from "../../compiler/ops/quantized.ts";
import type { Params } from "../../compiler/tensor.ts";
import type { Device } from "../../core/device.ts";
import { UserError } from "../../core/errors.ts";
import { randomKey } from "../../core/random.ts";
import type { Prompt } from "../../core/records.ts";
import { sizeOf, type TensorData } from "../../core/tensor-data.ts";
import { readJson, writeFileAtomic } from "../../io/files.ts";
import { requireFinite } from "../../io/finite.ts";
import { openSafetensors, writeSafetensors } from "../../io/safetensors.ts";
import { saveWeights } from "../../io/weights.ts";
import { readAdapter, writeAdapter } from "../../models/adapter-files.ts";
import { companionFolder, copyCompanions } from "../../models/companions.ts";
import { openModel } from "../../models/index.ts";
import { isAdapterWeight, type LoraOptions, withLora } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { withQuantizedBase } from "../../models/quantize.ts";
import type { LiveOptions, LogProbOptions, OptimStep, TokenBatch, TrainingGroup } from "../engine.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import { Compute } from "./compute.ts";
import { type DecodeJob, Decoder } from "./decoder.ts";
import type { Dropout } from "./dropout.ts";
import { FeatureCache } from "./feature-cache.ts";
import {
  type EncodedForTraining,
  encodeForTraining,
  forwardBackward,
  imagesOf,
  scoreCompletions,
} from "./forward-backward.ts";
import { inContiguousMemory } from "./fused-weights.ts";
import { MergedModel, mergedBytes } from "./merged-model.ts";
import { type DecodeOptions, type SampledGroup, type SamplingSeconds, sampleCompletions } from "./sampler.ts";
import { encodeEach, encodeImages } from "./vision-runner.ts";
import { randomWeights, readWeights, trainableNames, visionNames, WeightStore } from "./weight-store.ts";

/** Limits on an image's area that replace the checkpoint's own; they go into every checkpoint saved. */
export interface ImageLimits {
  readonly minPixels?: number;
  readonly maxPixels?: number;
}

/** How a frozen base is held, as recipes and commands call it. */
export type QuantizedKind = "int8" | "int4";

export function quantizedBits(kind: QuantizedKind | null): QuantizedBits | null {
  return kind === null ? null : kind === "int8" ? 8 : 4;
}

/** What a local engine is started with; plain data, it crosses to the worker. */
export interface LocalEngineOptions {
  /** Folder in Hugging Face layout. */
  readonly modelFolder: string;
  /** Random weights from config.json, or those of the folder. */
  readonly initialise: "pretrained" | "random";
  readonly seed: number;
  readonly freeze: readonly string[];
  /** Trains adapters on the frozen model in place of the model itself. */
  readonly lora?: LoraOptions | null;
  /** Holds the frozen base's matrices as integers of so many bits; with adapters only. */
  readonly quantizeFrozen?: QuantizedBits | null;
  /** Adapter weights to start from, in PEFT's layout; null: fresh ones. */
  readonly adapterFolder?: string | null;
  /** 0: as many as ONNX Runtime chooses. */
  readonly threads: number;
  /** Where programs run; the CPU by default. */
  readonly device?: Device;
  readonly imageLimits?: ImageLimits;
  /** Most tokens of one forward and backward pass, padding included. */
  readonly microBatchTokens: number;
  /** Bytes of results kept between the two passes; the rest is computed again. */
  readonly activationBytes?: number;
  /** Completions decoded at the same time. */
  readonly rows: number;
  /** Bytes of keys and values that live decoding may take; by default as many as its rows need. */
  readonly cacheBytes?: number;
}

/** The model that a local engine runs: its base as it is held, with adapters where the options name them. */
export function modelOf(o: LocalEngineOptions): Model {
  const base = baseOf(o);
  return o.lora ? withLora(base, o.lora) : base;
}

function baseOf({ modelFolder, quantizeFrozen = null }: LocalEngineOptions): Model {
  const whole = openModel(modelFolder);
  return quantizeFrozen === null ? whole : withQuantizedBase(whole, quantizeFrozen);
}

/** Names of the weights that are trained. */
export function trainableOf(model: Model, { lora, freeze }: LocalEngineOptions): ReadonlySet<string> {
  return lora ? new Set(Object.keys(model.weights).filter(isAdapterWeight)) : trainableNames(model, freeze);
}

const OPTIMIZER = "optimizer.safetensors";
const REFERENCE = "reference.safetensors";
const ENGINE_STATE = "engine.json";

export class LocalCore {
  readonly #options: LocalEngineOptions;
  readonly #model: Model;
  readonly #compute: Compute;
  readonly #features = new FeatureCache();
  /** What completions are sampled with in place of adapters beside their weights; null where those stay. */
  readonly #merged: MergedModel | null;
  #store: WeightStore;
  #reference: Params<TensorData> | null = null;
  /** Decodes under the present weights for callers that come and go; null until the first comes. */
  #live: Decoder | null = null;
  /** Images of completions that are trained on next; null once they were, or the weights have moved. */
  #encoded: EncodedForTraining | null = null;
  /** What sampling for training made of the present adapters; training reads it too. */
  #sums: AdapterPass | null = null;
  /** Forward and backward passes since the last update. */
  #passes = 0;

  constructor(options: LocalEngineOptions) {
    this.#options = options;
    const { lora = null, adapterFolder = null, modelFolder, seed } = options;
    const base = baseOf(options);
    this.#model = modelOf(options);
    const lean = (options.quantizeFrozen ?? null) !== null;
    this.#compute = new Compute(this.#model, options.threads, options.device, lean);
    this.#merged =
      lora !== null && mergedBytes(this.#model) > 0
        ? new MergedModel(new Compute(base, options.threads, options.device))
        : null;
    const baseValues =
      options.initialise === "random"
        ? inContiguousMemory(base, randomWeights(base.weights, seed))
        : readWeights(base, modelFolder);
    this.#store = new WeightStore(
      this.#model,
      lora === null ? baseValues : { ...baseValues, ...this.#freshAdapters(base) },
      trainableOf(this.#model, options),
    );
    if (adapterFolder !== null) this.#loadAdapter(adapterFolder);
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

  async sample(
    prompts: readonly Prompt[],
    o: DecodeOptions,
    onGroup: (group: SampledGroup) => void,
  ): Promise<SamplingSeconds> {
    this.#checkContext(Math.max(0, ...prompts.map((prompt) => prompt.tokenIds.length)), o.maxCompletionLength);
    const compute = this.#merged?.compute ?? this.#compute;
    const values = (await this.#merged?.values(this.#store.values)) ?? this.#store.values;
    const images = imagesOf(prompts.map((prompt) => ({ prompt })));
    const cache = this.#knownFeatures;
    if (o.trainsNext === true && this.#merged !== null) this.#sums = { mode: "sums", sums: values };
    const start = performance.now();
    const isKept = o.trainsNext === true && cache === null && (this.#model.adapterDropout ?? 0) === 0;
    const forTraining = { ...this.#options, adapters: this.#sums };
    this.#encoded = isKept ? await encodeForTraining(this.#compute, this.#store, images, forTraining) : null;
    const { features } = this.#encoded?.images ?? (await encodeImages(compute, values, images, { cache }));
    const seconds = (performance.now() - start) / 1000;
    return { images: seconds, ...(await sampleCompletions(compute, values, prompts, features, o, onGroup)) };
  }

  /** Adds a prompt to those that `advance` decodes; the function that is returned gives up one completion, or all. */
  decode(
    prompt: Prompt,
    o: LiveOptions & Pick<DecodeOptions, "stopTokenIds">,
    { onToken, onEnd }: Pick<DecodeJob, "onToken" | "onEnd">,
  ): (completion?: number) => void {
    this.#checkContext(prompt.tokenIds.length, o.maxCompletionLength);
    this.#live ??= this.#newDecoder(o.stopTokenIds);
    const key = randomKey(o.seed, "sample", 0, 0);
    return this.#live.add({ ...o, prompt, distribution: { ...o, topK: 0 }, key, onToken, onEnd });
  }

  /** One more token for all that is decoded; whether anything is left to do. An error ends all completions. */
  async advance(): Promise<boolean> {
    try {
      await this.#live?.advance();
    } catch (error) {
      this.#live?.fail(error as Error);
    }
    return this.#live?.idle === false;
  }

  async logProbs(groups: readonly TrainingGroup[], o: LogProbOptions, which: "policy" | "reference") {
    const values = which === "policy" ? this.#store.values : this.#reference;
    if (values === null) throw new Error("internal: no reference was frozen");
    this.#checkGroups(groups);
    const adapters = which === "policy" ? this.#sums : null;
    const options = { ...this.#options, features: this.#knownFeatures, adapters };
    return scoreCompletions(this.#compute, values, groups, o, options);
  }

  async forwardBackward(batch: TokenBatch) {
    this.#checkGroups(batch.groups);
    const dropout = this.#nextDropout();
    const adapters = dropout === null ? this.#sums : ({ mode: "masks", dropout } as const);
    const encoded = this.#takeEncoded(batch.groups);
    const o = { ...this.#options, features: this.#knownFeatures, adapters, encoded };
    return forwardBackward(this.#compute, this.#store, batch, o);
  }

  optimStep(o: OptimStep) {
    this.#live = null;
    this.#encoded = null;
    this.#sums = null;
    this.#merged?.forget();
    this.#passes = 0;
    return this.#store.step(o);
  }

  freezeReference(keep: boolean): void {
    this.#reference = keep ? this.#store.copyValues() : null;
  }

  resetOptimizer(): void {
    this.#passes = 0;
    this.#store.restoreOptimizer(0);
  }

  /** Writes config, weights and tokenizer files; with `training`, optimiser moments and the reference too. */
  save(folder: string, training: boolean): void {
    const { values } = this.#store;
    mkdirSync(folder, { recursive: true });
    const { modelFolder, adapterFolder = null } = this.#options;
    copyCompanions(companionFolder(adapterFolder ?? modelFolder, modelFolder), folder);
    writeImageLimits(folder, this.#options.imageLimits ?? {});
    const { lora = null } = this.#options;
    if (lora === null) {
      writeFileSync(join(folder, "config.json"), `${JSON.stringify(this.#model.config, null, 2)}\n`);
      saveWeights(folder, named(values));
    } else {
      const config = { ...lora, base: resolve(this.#options.modelFolder) };
      writeAdapter(this.#model, folder, config, (name) => values[name]!.data as Float32Array);
    }
    if (!training) return;
    const { steps, names } = this.#store.optimizer;
    const moments = names.flatMap((name) => {
      const { first, second } = this.#store.moments(name);
      const { shape } = values[name]!;
      return [
        { name: `first.${name}`, shape, data: first },
        { name: `second.${name}`, shape, data: second },
      ];
    });
    if (moments.length > 0) writeSafetensors(join(folder, OPTIMIZER), moments, "F32");
    if (this.#reference !== null) {
      const moved = Object.fromEntries(
        Object.entries(this.#reference).filter(([name]) => this.#store.trainable.has(name)),
      );
      writeSafetensors(join(folder, REFERENCE), named(moved), "F32");
    }
    writeFileSync(join(folder, ENGINE_STATE), JSON.stringify({ steps }));
  }

  load(folder: string): void {
    this.#live = null;
    this.#encoded = null;
    this.#sums = null;
    this.#merged?.forget();
    if (!existsSync(join(folder, ENGINE_STATE)))
      throw new UserError(`${folder} holds no training state to resume from`);
    const { steps } = readJson(join(folder, ENGINE_STATE), "engine state") as { steps: number };
    if (!this.#options.lora) {
      this.#store = new WeightStore(this.#model, readWeights(this.#model, folder), this.#store.trainable);
    } else this.#loadAdapter(folder);
    if (steps > 0 && !existsSync(join(folder, OPTIMIZER))) {
      throw new UserError(`${folder}: ${OPTIMIZER} is missing, so training cannot go on exactly`);
    }
    this.#store.restoreOptimizer(steps);
    this.#passes = 0;
    readInto(join(folder, OPTIMIZER), (name, data) => {
      const [, kind, weight] = /^(first|second)\.(.*)$/.exec(name)!;
      this.#store.moments(weight!)[kind as "first" | "second"].set(data);
    });
    const reference: Record<string, TensorData> = {};
    readInto(join(folder, REFERENCE), (name, data) => {
      reference[name] = { dtype: "float32", shape: this.#model.weights[name]!.shape, data };
    });
    this.#reference = Object.keys(reference).length > 0 ? { ...this.#store.values, ...reference } : null;
  }

  get hasReference(): boolean {
    return this.#reference !== null;
  }

  async close(): Promise<void> {
    await this.#compute.close();
    await this.#merged?.compute.close();
  }

  /** Every pass of every update drops other numbers; those of a resumed run are the same. */
  #nextDropout(): Dropout | null {
    const rate = this.#model.adapterDropout ?? 0;
    if (rate === 0) return null;
    const key = randomKey(this.#options.seed, "lora_dropout", this.#store.optimizer.steps, this.#passes++);
    return { rate, key };
  }

  /** What sampling kept of the images, if the groups have these and no others; it serves once. */
  #takeEncoded(groups: readonly TrainingGroup[]): EncodedForTraining | null {
    const kept = this.#encoded;
    this.#encoded = null;
    const asked = new Set(imagesOf(groups).map(({ sha256 }) => sha256));
    const isSame =
      kept?.images.features.size === asked.size && [...asked].every((sha) => kept.images.features.has(sha));
    return isSame ? kept : null;
  }

  /** What a tower that training leaves alone made of images, for policy and reference alike. */
  get #knownFeatures(): FeatureCache | null {
    return visionNames(this.#model).some((name) => this.#store.trainable.has(name)) ? null : this.#features;
  }

  #newDecoder(stopTokenIds: readonly number[]): Decoder {
    const { values } = this.#store;
    const cache = new FeatureCache();
    return new Decoder(this.#compute, values, {
      rows: this.#options.rows,
      cacheBytes: this.#options.cacheBytes ?? Infinity,
      stopTokenIds,
      encode: ({ images }) => encodeEach(this.#compute, values, images, cache),
    });
  }

  /** What adapters add to the model's weights, scales included. */
  #freshAdapters(base: Model): Params<TensorData> {
    const added = Object.entries(this.#model.weights).filter(([name]) => base.weights[name] === undefined);
    return randomWeights(Object.fromEntries(added), this.#options.seed);
  }

  #loadAdapter(folder: string): void {
    for (const [name, data] of Object.entries(readAdapter(this.#model, folder))) {
      (this.#store.values[name]!.data as Float32Array).set(data);
    }
  }

  #checkGroups(groups: readonly TrainingGroup[]): void {
    for (const { prompt, completions } of groups) {
      for (const { tokenIds } of completions) this.#checkContext(prompt.tokenIds.length, tokenIds.length);
    }
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

/** Puts the limits that training used where every tool looks for them. */
function writeImageLimits(folder: string, { minPixels, maxPixels }: ImageLimits): void {
  const path = join(folder, "preprocessor_config.json");
  if ((minPixels === undefined && maxPixels === undefined) || !existsSync(path)) return;
  const config = readJson(path, "image processor configuration") as Record<string, unknown>;
  const limits = {
    ...(minPixels === undefined ? {} : { min_pixels: minPixels }),
    ...(maxPixels === undefined ? {} : { max_pixels: maxPixels }),
  };
  const size = {
    ...(config["size"] as object | undefined),
    ...(minPixels === undefined ? {} : { shortest_edge: minPixels }),
    ...(maxPixels === undefined ? {} : { longest_edge: maxPixels }),
  };
  const own = config["size"] === undefined ? limits : { ...("min_pixels" in config ? limits : {}), size };
  writeFileAtomic(path, `${JSON.stringify({ ...config, ...own }, null, 2)}\n`);
}

function named(values: Params<TensorData>) {
  return Object.entries(values).map(([name, { shape, data }]) => ({ name, shape, data: data as Float32Array }));
}

function readInto(path: string, set: (name: string, data: Float32Array) => void): void {
  if (!existsSync(path)) return;
  const file = openSafetensors(path);
  try {
    for (const name of file.names) set(name, requireFinite(file.readFloat32(name), name, path));
  } finally {
    file.close();
  }
}

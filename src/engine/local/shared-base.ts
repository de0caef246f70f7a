/**
 * A model's own weights and programs, shared by everything that computes on it: an adapter adds its matrices, and programs
 * only where none with such adapters are there yet.
 */
import type { Params } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { LoraOptions } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import type { EngineOptions, OnWeight } from "../backend.ts";
import { type Arrays, holdAll } from "./arrays/arrays.ts";
import { openArrays } from "./arrays/index.ts";
import { Compute } from "./compute.ts";
import { FeatureCache } from "./feature-cache.ts";
import { inContiguousMemory } from "./fused-weights.ts";
import { baseOf, extended } from "./local-model.ts";
import type { MergedModel } from "./merged-model.ts";
import { randomWeights, readWeights } from "./weight-store.ts";

export class SharedBase {
  readonly values: Params<TensorData>;
  /** Where these lie, and all that is computed with them. */
  readonly arrays: Arrays;
  /** Runs the model's own programs. */
  readonly compute: Compute;
  /** Features of images, for all whose vision tower is the model's own. */
  readonly features = new FeatureCache();
  readonly #options: EngineOptions;
  /** By the options that their adapters share. */
  readonly #adapted = new Map<string, Compute>();
  /** Of who sampled last. */
  #merged: MergedModel | null = null;

  constructor(options: EngineOptions, onWeight?: OnWeight) {
    this.#options = options;
    const model = baseOf(options);
    this.arrays = openArrays(options.device ?? "cpu", options.threads);
    this.compute = this.#computeFor(model);
    const values =
      options.initialise === "random"
        ? inContiguousMemory(model, randomWeights(model.weights, options.seed))
        : readWeights(model, options.modelFolder, onWeight);
    this.values = holdAll(this.arrays, values);
  }

  /** The model with such adapters, or without any, and what runs its programs. */
  with(lora: LoraOptions | null): { readonly model: Model; readonly compute: Compute } {
    const { scoreHead = false } = this.#options;
    const compute = lora === null && !scoreHead ? this.compute : this.#computeWith(lora);
    return { model: compute.model, compute };
  }

  /** One copy of the weights with merged adapters is kept at a time; others stay only as long as they are lent. */
  keepMerged(merged: MergedModel): void {
    if (merged !== this.#merged) this.#merged?.forget();
    this.#merged = merged;
  }

  async close(): Promise<void> {
    await this.arrays.close();
    for (const compute of [this.compute, ...this.#adapted.values()]) await compute.close();
  }

  #computeWith(lora: LoraOptions | null): Compute {
    const key = JSON.stringify(lora);
    const known = this.#adapted.get(key);
    if (known !== undefined) return known;
    const made = this.#computeFor(extended(this.compute.model, { ...this.#options, lora }));
    this.#adapted.set(key, made);
    return made;
  }

  #computeFor(model: Model): Compute {
    const { threads, device, quantizeFrozen = null } = this.#options;
    return new Compute(model, threads, device, quantizeFrozen !== null, this.arrays);
  }
}

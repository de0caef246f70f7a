/** What is sampled from: the base model, or saved weights. Their adapters are in memory while they are used. */
import { rmSync } from "node:fs";
import type { AdapterHost, TrainingEngine } from "../../engine/engine.ts";
import { ApiError } from "../api-error.ts";
import { LoadedAdapters } from "./loaded-adapters.ts";
import { type LoraConfig, loraOptions } from "./models.ts";
import { Answered } from "./sequence.ts";
import type { TinkerModel } from "./served-model.ts";

export interface Sampler {
  readonly id: string;
  readonly session: string;
  /** Of a checkpoint with a name. */
  readonly path: string | null;
  /** Null samples the base model. */
  readonly weights: { readonly folder: string; readonly lora: LoraConfig } | null;
  /** Copies of its client in other processes. */
  clones: number;
  readonly answered: Answered<{ readonly request_id: string; readonly sample_sequence_ids: readonly string[] }>;
}

/** Adapters for sampling that stay in memory. */
const LOADED_SAMPLERS = 4;

export class Samplers {
  readonly #all = new Map<string, Sampler>();
  readonly #base: TinkerModel["engine"];
  readonly #loaded: LoadedAdapters;

  constructor(base: TinkerModel["engine"], host: AdapterHost) {
    this.#base = base;
    this.#loaded = new LoadedAdapters(host, LOADED_SAMPLERS);
  }

  /** Takes weights in memory as those of a folder, which is written when they make room for others. */
  keep(folder: string, snapshot: Promise<TrainingEngine>): Promise<void> {
    return this.#loaded.keep(folder, snapshot);
  }

  add(id: string, session: string, weights: Sampler["weights"], path: string | null = null): void {
    this.#all.set(id, { id, session, path, weights, clones: 0, answered: new Answered() });
  }

  /** Throws ApiError (404) for a sampler that is not there. */
  get(id: string): Sampler {
    const sampler = this.#all.get(id);
    if (sampler !== undefined) return sampler;
    const message = `there is no sampler ${id.slice(0, 100)}: its session has ended, or newer snapshots took its place`;
    throw new ApiError(404, message);
  }

  /** Works with the engine of a sampler's weights. */
  use<T>({ weights }: Sampler, work: (engine: TinkerModel["engine"]) => Promise<T>): Promise<T> {
    return weights === null ? work(this.#base) : this.#loaded.use(weights.folder, loraOptions(weights.lora), work);
  }

  /** Removes a snapshot, and what sampled from it. */
  async dropSnapshot(folder: string): Promise<void> {
    for (const [id, { weights }] of this.#all) if (weights?.folder === folder) this.#all.delete(id);
    await this.#loaded.drop(folder);
    rmSync(folder, { recursive: true, force: true });
  }

  ofSession(session: string): readonly string[] {
    return [...this.#all.values()].filter((sampler) => sampler.session === session).map(({ id }) => id);
  }

  endSession(session: string): void {
    for (const id of this.ofSession(session)) this.#all.delete(id);
  }
}

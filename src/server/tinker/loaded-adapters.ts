/**
 * Adapters in memory for sampling, by their folders: so many at a time, the one unused longest goes first. A snapshot is
 * written to its folder when it goes, and not before.
 */
import type { AdapterHost, TrainingEngine } from "../../engine/engine.ts";
import type { LoraOptions } from "../../models/lora.ts";

interface Loaded {
  readonly opening: Promise<TrainingEngine>;
  /** Whether its folder does not hold it yet. */
  readonly isUnsaved: boolean;
  users: number;
}

export class LoadedAdapters {
  readonly #host: AdapterHost;
  readonly #most: number;
  /** The one used last is last. */
  readonly #loaded = new Map<string, Loaded>();
  /** Those on their way out. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(host: AdapterHost, most: number) {
    this.#host = host;
    this.#most = most;
  }

  /** Takes a snapshot, which belongs to a folder that is not there yet. */
  async keep(folder: string, opening: Promise<TrainingEngine>): Promise<void> {
    this.#loaded.set(folder, { opening, isUnsaved: true, users: 0 });
    opening.catch(() => this.#loaded.delete(folder));
    await opening;
    await this.#unload();
  }

  /** Frees an adapter that nobody asks for any more. */
  async drop(folder: string): Promise<void> {
    const one = this.#loaded.get(folder);
    if (one === undefined || one.users > 0) return; // those in use are closed as others come
    this.#loaded.delete(folder);
    await (await one.opening).close();
  }

  /** Works with an adapter, which stays in memory at least until the work is done. */
  async use<T>(folder: string, lora: LoraOptions, work: (engine: TrainingEngine) => Promise<T>): Promise<T> {
    const one = this.#loaded.get(folder) ?? this.#open(folder, lora);
    this.#loaded.delete(folder);
    this.#loaded.set(folder, one);
    one.users++;
    try {
      return await work(await one.opening);
    } finally {
      one.users--;
      await this.#unload();
    }
  }

  #open(folder: string, lora: LoraOptions): Loaded {
    const left = this.#leaving.get(folder) ?? Promise.resolve();
    const opening = left.then(() => this.#host.open({ lora, seed: 0, folder }));
    opening.catch(() => this.#loaded.delete(folder)); // its users are told
    return { opening, isUnsaved: false, users: 0 };
  }

  async #unload(): Promise<void> {
    for (const [folder, one] of this.#loaded) {
      if (this.#loaded.size <= this.#most) return;
      if (one.users > 0) continue;
      this.#loaded.delete(folder);
      const left = this.#leave(folder, one).finally(() => this.#leaving.delete(folder));
      this.#leaving.set(folder, left);
      await left;
    }
  }

  async #leave(folder: string, { opening, isUnsaved }: Loaded): Promise<void> {
    const engine = await opening;
    try {
      if (isUnsaved) await engine.save(folder, { training: false });
    } finally {
      await engine.close();
    }
  }
}

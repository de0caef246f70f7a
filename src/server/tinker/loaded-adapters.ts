/** Adapters in memory for sampling, by their folders: so many at a time, the one unused longest goes first. */
import type { AdapterHost, TrainingEngine } from "../../engine/engine.ts";
import type { LoraOptions } from "../../models/lora.ts";

interface Loaded {
  readonly opening: Promise<TrainingEngine>;
  users: number;
}

export class LoadedAdapters {
  readonly #host: AdapterHost;
  readonly #most: number;
  /** The one used last is last. */
  readonly #loaded = new Map<string, Loaded>();

  constructor(host: AdapterHost, most: number) {
    this.#host = host;
    this.#most = most;
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
    const opening = this.#host.open({ lora, seed: 0, folder });
    opening.catch(() => this.#loaded.delete(folder)); // its users are told
    return { opening, users: 0 };
  }

  async #unload(): Promise<void> {
    for (const [folder, { opening, users }] of this.#loaded) {
      if (this.#loaded.size <= this.#most) return;
      if (users > 0) continue;
      this.#loaded.delete(folder);
      await (await opening).close();
    }
  }
}

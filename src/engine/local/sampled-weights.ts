/**
 * The weights that completions of one set of adapters are sampled from: with the adapters merged, where that pays. A snapshot
 * shares what is merged until the adapters of one of the two change.
 */
import type { Params } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import type { Compute } from "./compute.ts";
import { type LentWeights, MergedModel } from "./merged-model.ts";
import type { SharedBase } from "./shared-base.ts";

/**
 * Passes of this many times the model's width tokens and more merge an adapter on another's base (ours). Merging takes as long
 * as the matrices beside the weights do on about 1,600 tokens at width 576, and nothing where a snapshot did it.
 */
const MERGES_FROM = 2;

/** What every method is given are the adapters and the base's weights as they are now. */
export class SampledWeights {
  readonly #base: SharedBase;
  readonly #own: Compute;
  #merged: MergedModel | null;
  /** Whether another has what is merged too. */
  #isShared: boolean;
  /** Whether training reads the merged weights that completions under the current adapters were sampled from. */
  #trains = false;
  /** Passes of so many tokens read merged weights whether or not anything was sampled. */
  readonly #trainsFrom: number;

  /**
   * `own` runs the model with adapters beside its weights; `merged` is another's to share, new, or null for none. A guest is an
   * adapter on another's base. What it trains on is sampled from snapshots, so the size of its passes alone decides.
   */
  constructor(
    base: SharedBase,
    own: Compute,
    merged: MergedModel | null,
    { isShared, isGuest }: { readonly isShared: boolean; readonly isGuest: boolean },
  ) {
    this.#base = base;
    this.#own = own;
    this.#merged = merged;
    this.#isShared = isShared;
    this.#trainsFrom = isGuest ? MERGES_FROM * own.model.language.width : Number.POSITIVE_INFINITY;
  }

  /** Runs the programs of sampling. */
  get compute(): Compute {
    return this.#merged?.compute ?? this.#own;
  }

  /** For whoever is done with them before another request to this base begins. */
  async values(now: Params<TensorData>): Promise<Params<TensorData>> {
    if (this.#merged === null) return now;
    this.#base.keepMerged(this.#merged);
    return this.#merged.values(now);
  }

  /** For whoever is not. */
  lend(now: Params<TensorData>): LentWeights {
    if (this.#merged === null) return { values: Promise.resolve(now), end() {} };
    this.#base.keepMerged(this.#merged);
    return this.#merged.lend(now);
  }

  /** Passes until the next change read what is sampled from. */
  trainNext(): void {
    this.#trains = true;
  }

  /** The merged weights for a pass over so many tokens; null: adapters beside the weights. */
  async pass(now: Params<TensorData>, tokens: number): Promise<AdapterPass | null> {
    if (this.#merged === null || !(this.#trains || tokens >= this.#trainsFrom)) return null;
    return { mode: "sums", sums: await this.values(now) };
  }

  /** What is merged, for a snapshot of these weights; null if nothing is. */
  share(): MergedModel | null {
    this.#isShared = this.#merged !== null;
    return this.#merged;
  }

  /** The adapters are about to change. */
  forget(): void {
    this.#trains = false;
    if (this.#isShared)
      this.#merged = new MergedModel(this.#base.compute); // the other's from now on
    else this.#merged?.forget();
    this.#isShared = false;
  }
}

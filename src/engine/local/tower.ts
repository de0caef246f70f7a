/** The vision tower by itself: features of images, and its backward pass from their gradients. */
import type { ImageFeatures } from "../../core/records.ts";
import type { Compute } from "./compute.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { type EncodedForTraining, encodeForTraining, type MicroBatchOptions } from "./model-pass.ts";
import { backwardImages, type EncodedImages, encodeImages, releaseImages } from "./vision-runner.ts";
import { visionNames, type WeightStore } from "./weight-store.ts";

/** The weights as they are now, and cached features of a frozen tower. */
interface TowerState extends Pick<MicroBatchOptions, "activationBytes"> {
  readonly store: WeightStore;
  readonly features: FeatureCache | null;
}

export class Tower {
  readonly #compute: Compute;
  readonly #now: () => TowerState;
  /** Images encoded with what their backward pass needs, which serves once, and their hashes in the order asked for. */
  #pass: { readonly encoded: EncodedForTraining; readonly hashes: readonly string[] } | null = null;

  constructor(compute: Compute, now: () => TowerState) {
    this.#compute = compute;
    this.#now = now;
  }

  /** Of an image token's features. */
  get width(): number {
    const { featureLevels, width } = this.#compute.model.language;
    return featureLevels * width;
  }

  /** Features of images; with `training`, kept for `backward`. */
  async encode(images: readonly ImageFeatures[], training: boolean): Promise<readonly Float32Array[]> {
    const { store, features: cache, ...o } = this.#now();
    const hashes = images.map(({ sha256 }) => sha256);
    const featuresOf = (encoded: EncodedImages) => hashes.map((sha256) => encoded.features.get(sha256)!);
    if (!training) return featuresOf(await encodeImages(this.#compute, store.values, images, { cache }));
    const encoded = await encodeForTraining(this.#compute, store, images, o);
    this.#pass = { encoded, hashes };
    return featuresOf(encoded.images);
  }

  /** Accumulates the tower's gradients from those of the pass's features; an image that stands there twice adds up. */
  async backward(gradients: readonly Float32Array[]): Promise<void> {
    if (this.#pass === null) throw new Error("internal: the tower has encoded nothing to train on");
    const { encoded, hashes } = this.#pass;
    this.#pass = null;
    const { store } = this.#now();
    const totals = new Map<string, Float32Array>();
    for (const [i, sha256] of hashes.entries()) {
      const total = totals.get(sha256);
      if (total === undefined) totals.set(sha256, gradients[i]!);
      else store.kernels.addInPlace(total, gradients[i]!);
    }
    await backwardImages(this.#compute, store, encoded.images, totals, encoded.saving.budget);
    store.reach(visionNames(store.model));
  }

  forget(): void {
    if (this.#pass !== null) releaseImages(this.#compute, this.#pass.encoded.images);
    this.#pass = null;
  }
}

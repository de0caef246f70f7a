/** Encoded images of completions that are trained on next; they serve once, and only until the weights change. */
import type { TrainingGroup } from "../engine.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import type { Compute } from "./compute.ts";
import type { EncodedForTraining } from "./model-pass.ts";
import { imagesOf } from "./packing.ts";
import { selectImages } from "./selected-images.ts";
import { releaseImages } from "./vision-runner.ts";

export class KeptImages {
  readonly #compute: Compute;
  #kept: EncodedForTraining | null = null;

  constructor(compute: Compute) {
    this.#compute = compute;
  }

  /** In place of what was kept before. */
  keep(encoded: EncodedForTraining | null): void {
    this.#kept = encoded;
  }

  /** What sampling kept of the groups' images, if it had them all. */
  take(groups: readonly TrainingGroup[], adapters: AdapterPass | null): EncodedForTraining | null {
    const kept = this.#kept;
    this.#kept = null;
    if (kept === null) return null;
    const asked = new Set(imagesOf(groups).map(({ sha256 }) => sha256));
    if (![...asked].every((sha) => kept.images.features.has(sha))) {
      releaseImages(this.#compute, kept.images);
      return null;
    }
    if (this.#compute.arrays.memory === null) return selectImages(this.#compute, kept, asked, adapters);
    if (asked.size === kept.images.features.size) return kept;
    releaseImages(this.#compute, kept.images); // what others kept cannot be cut out there
    return null;
  }

  forget(): void {
    if (this.#kept !== null) releaseImages(this.#compute, this.#kept.images);
    this.#kept = null;
  }
}

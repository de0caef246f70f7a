/** The vision tower by itself: features of images, and its backward pass from their gradients. */
import type { ImageFeatures } from "../../core/records.ts";
import type { Compute } from "./compute.ts";
import { type EncodedForTraining, encodeForTraining, type MicroBatchOptions } from "./model-pass.ts";
import { backwardImages } from "./vision-runner.ts";
import { visionNames, type WeightStore } from "./weight-store.ts";

/** Images that the tower encoded with what its backward pass needs, which serves once. */
export interface TowerPass {
  readonly encoded: EncodedForTraining;
  readonly hashes: readonly string[];
}

export async function encodeTower(
  compute: Compute,
  store: WeightStore,
  images: readonly ImageFeatures[],
  o: Pick<MicroBatchOptions, "activationBytes">,
): Promise<TowerPass> {
  return {
    encoded: await encodeForTraining(compute, store, images, o),
    hashes: images.map(({ sha256 }) => sha256),
  };
}

/** The features of each image of the pass, in its order. */
export function towerFeatures({ encoded, hashes }: TowerPass): readonly Float32Array[] {
  return hashes.map((sha256) => encoded.images.features.get(sha256)!);
}

/** Accumulates the tower's gradients from those of the pass's features; an image that stands there twice adds up. */
export async function backwardTower(
  compute: Compute,
  store: WeightStore,
  { encoded, hashes }: TowerPass,
  gradients: readonly Float32Array[],
): Promise<void> {
  const totals = new Map<string, Float32Array>();
  for (const [i, sha256] of hashes.entries()) {
    const total = totals.get(sha256);
    if (total === undefined) totals.set(sha256, gradients[i]!);
    else store.kernels.addInPlace(total, gradients[i]!);
  }
  await backwardImages(compute, store, encoded.images, totals, encoded.saving.budget);
  store.reach(visionNames(store.model));
}

/**
 * Projected gradient ascent on a batch's loss over the pixels of its images (PGD, Madry et al., arXiv 1706.06083): signs of
 * the gradient, within ε of every pixel and within the range of pixels.
 */
import { UserError } from "../core/errors.ts";
import { type PixelLayout, pixelGradient, pixelsOf, withPixelChange } from "../core/pixels.ts";
import type { Processor } from "../core/processor.ts";
import type { ImageFeatures } from "../core/records.ts";
import type { TokenBatch, TrainingEngine, TrainingGroup } from "./engine.ts";

export interface PgdOptions {
  /** Largest change of a pixel, in the unit of pixels: 0 to 1. */
  readonly epsilon: number;
  /** Change of a pixel in one step. */
  readonly alpha: number;
  readonly steps: number;
}

/**
 * One step from x + change along the gradient's signs; the change stays within ε, and x + change between `low` and `high`
 * where x itself is.
 */
export function pgdStep(
  x: Float32Array,
  change: Float32Array,
  gradient: Float32Array,
  { epsilon, alpha, low = 0, high = 1 }: PgdOptions & { readonly low?: number; readonly high?: number },
): Float32Array {
  return change.map((value, i) => {
    const [least, most] = [Math.min(0, Math.max(-epsilon, low - x[i]!)), Math.max(0, Math.min(epsilon, high - x[i]!))];
    return Math.min(most, Math.max(least, value + alpha * Math.sign(gradient[i]!)));
  });
}

/** The batch with every image changed against the model; UserError where engine or processor cannot. */
export async function adversarialBatch(
  engine: TrainingEngine,
  processor: Processor,
  batch: TokenBatch,
  o: PgdOptions,
): Promise<TokenBatch> {
  const { gradients } = engine;
  const { pixelLayout } = processor;
  if (gradients === undefined) throw new UserError("adversarial samples need a model that is computed on this machine");
  if (pixelLayout === undefined)
    throw new UserError("adversarial samples: a model of this family cuts an image into frames");
  const images = new Map(batch.groups.flatMap(({ prompt }) => prompt.images.map((image) => [image.sha256, image])));
  const changes = new Map<string, Change>();
  for (const [sha256, { patches, grid }] of images) {
    const layout = pixelLayout(grid);
    const pixels = pixelsOf(patches, layout);
    changes.set(sha256, { layout, pixels, change: new Float32Array(pixels.length) });
  }
  let attacked = batch;
  for (let step = 0; step < o.steps; step++) {
    const found = (await gradients(attacked, "pixels")).gradients;
    for (const [sha256, own] of changes) {
      const gradient = found.get(step === 0 ? sha256 : tagged(sha256, step - 1));
      if (gradient === undefined) continue;
      own.change = pgdStep(own.pixels, own.change, pixelGradient(gradient, own.layout), o);
    }
    attacked = { ...batch, groups: batch.groups.map((group) => changedGroup(group, changes, step)) };
  }
  return attacked;
}

interface Change {
  readonly layout: PixelLayout;
  readonly pixels: Float32Array;
  change: Float32Array;
}

const tagged = (sha256: string, step: number) => `${sha256}:${tagOf(step)}`;
const tagOf = (step: number) => `pgd${step}`;

function changedGroup(group: TrainingGroup, changes: ReadonlyMap<string, Change>, step: number): TrainingGroup {
  const changed = (image: ImageFeatures) => {
    const { change, layout } = changes.get(image.sha256)!;
    return withPixelChange(image, change, layout, tagOf(step));
  };
  return { ...group, prompt: { ...group.prompt, images: group.prompt.images.map(changed) } };
}

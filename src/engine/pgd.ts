/**
 * Projected gradient ascent on a batch's loss over the pixels of its images (PGD, Madry et al., arXiv 1706.06083): signs of
 * the gradient, within ε of every pixel and within the range of pixels; or over the embeddings of their patches, within ε.
 */
import { UserError } from "../core/errors.ts";
import { type PixelLayout, pixelGradient, pixelsOf, withPixelChange } from "../core/pixels.ts";
import type { Processor } from "../core/processor.ts";
import type { ImageFeatures } from "../core/records.ts";
import type { TokenBatch, TrainingEngine, TrainingGroup } from "./engine.ts";

export interface PgdOptions {
  /** Largest change of a pixel, in the unit of pixels: 0 to 1; or of an embedding's number. */
  readonly epsilon: number;
  /** Change in one step. */
  readonly alpha: number;
  readonly steps: number;
}

export type AttackedSpace = "pixels" | "patch_embedding";

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
  { space = "pixels", ...o }: PgdOptions & { readonly space?: AttackedSpace },
): Promise<TokenBatch> {
  const { gradients } = engine;
  if (gradients === undefined) throw new UserError("adversarial samples need a model that is computed on this machine");
  const images = new Map(batch.groups.flatMap(({ prompt }) => prompt.images.map((image) => [image.sha256, image])));
  const changes = new Map<string, Change>();
  for (const [sha256, image] of images) changes.set(sha256, changeIn[space](image, processor));
  let attacked = batch;
  for (let step = 0; step < o.steps; step++) {
    const found = (await gradients(attacked, space)).gradients;
    for (const [sha256, own] of changes) {
      const gradient = found.get(step === 0 ? sha256 : tagged(sha256, step - 1));
      if (gradient !== undefined) own.ascend(gradient, o);
    }
    attacked = { ...batch, groups: batch.groups.map((group) => changedGroup(group, changes, step)) };
  }
  return attacked;
}

/** An image's change so far. */
interface Change {
  ascend(gradient: Float32Array, o: PgdOptions): void;
  applied(image: ImageFeatures, tag: string): ImageFeatures;
}

/** A change that is nothing yet, by space. */
const changeIn: Readonly<Record<AttackedSpace, (image: ImageFeatures, processor: Processor) => Change>> = {
  pixels({ patches, grid }, { pixelLayout }) {
    if (pixelLayout === undefined)
      throw new UserError("adversarial samples: a model of this family cuts an image into frames");
    const layout: PixelLayout = pixelLayout(grid);
    const pixels = pixelsOf(patches, layout);
    let change: Float32Array = new Float32Array(pixels.length);
    return {
      ascend: (gradient, o) => (change = pgdStep(pixels, change, pixelGradient(gradient, layout), o)),
      applied: (image, tag) => withPixelChange(image, change, layout, tag),
    };
  },
  patch_embedding() {
    let change: Float32Array | null = null;
    return {
      ascend(gradient, o) {
        const none = new Float32Array(gradient.length);
        change = pgdStep(none, change ?? none, gradient, { ...o, low: -Infinity, high: Infinity });
      },
      applied({ pixels: _, ...image }, tag) {
        const moved = change === null ? {} : { embeddingChange: change };
        return { ...image, ...moved, sha256: `${image.sha256}:${tag}` };
      },
    };
  },
};

const tagged = (sha256: string, step: number) => `${sha256}:${tagOf(step)}`;
const tagOf = (step: number) => `pgd${step}`;

function changedGroup(group: TrainingGroup, changes: ReadonlyMap<string, Change>, step: number): TrainingGroup {
  const changed = (image: ImageFeatures) => {
    return changes.get(image.sha256)!.applied(image, tagOf(step));
  };
  return { ...group, prompt: { ...group.prompt, images: group.prompt.images.map(changed) } };
}

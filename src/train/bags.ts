/** Training one number of a bag (HRD, arXiv 2602.00151; attention of arXiv 1802.04712): an epoch of draws by rarity, and predictions. */
import { fold, integer, permutation, type RandomKey, randomKey, uniform } from "../core/random.ts";
import { float32, type TensorData } from "../core/tensor-data.ts";
import type { Bag } from "../data/bags.ts";
import type { Attached } from "../engine/attached.ts";
import type { OptimStep } from "../engine/engine.ts";

export { BAGS_FILE, type Bag, readBags, writeBag } from "../data/bags.ts";
export { imageTiles } from "../data/square-images.ts";

/** Targets as the head sees them: (target − mean) / std of the training bags. */
export interface TargetScale {
  readonly mean: number;
  readonly std: number;
}

export function targetScale(targets: readonly number[]): TargetScale {
  const mean = targets.reduce((sum, target) => sum + target, 0) / targets.length;
  const variance = targets.reduce((sum, target) => sum + (target - mean) ** 2, 0) / targets.length;
  return { mean, std: Math.sqrt(variance) || 1 };
}

export interface BagEpoch {
  readonly bags: readonly Bag[];
  /** Of each bag, mean 1: how often it is drawn. */
  readonly weights: readonly number[];
  readonly scale: TargetScale;
  /** Vectors of a bag that a step sees, drawn anew. */
  readonly bagSize: number;
  readonly batchSize: number;
  readonly optimiser: OptimStep;
  readonly seed: number;
  readonly epoch: number;
}

/** As many bags as there are, drawn by their weights with replacement; returns the mean Huber loss. */
export async function bagEpoch(head: Attached, o: BagEpoch): Promise<number> {
  const key = randomKey(o.seed, "bags", o.epoch);
  const order = drawByWeight(o.weights, fold(key, "order"));
  let total = 0;
  for (let start = 0; start < order.length; start += o.batchSize) {
    const batch = order.slice(start, start + o.batchSize);
    for (const [i, at] of batch.entries()) {
      const bag = o.bags[at]!;
      const x = sampled(bag, o.bagSize, fold(fold(key, start), i));
      const y = await head.forward(x);
      const target = float32([1], [(bag.target - o.scale.mean) / o.scale.std]);
      const { loss, gradients } = await head.loss("huber", { y, target, weight: float32([1], [1 / batch.length]) });
      await head.backward(x, float32([1], gradients["y"]!));
      total += (loss * batch.length) / order.length;
    }
    head.step(o.optimiser);
  }
  return total;
}

/** A number for every bag, of all its vectors. */
export async function predictBags(head: Attached, bags: readonly Bag[], { mean, std }: TargetScale): Promise<number[]> {
  const predictions: number[] = [];
  for (const bag of bags) {
    const y = await head.forward(float32([bag.vectors, bag.width], bag.features));
    predictions.push(mean + std * y.data[0]!);
  }
  return predictions;
}

/** As many draws as weights, each place about as often as its weight says. */
export function drawByWeight(weights: readonly number[], key: RandomKey): number[] {
  const sums: number[] = [];
  let total = 0;
  for (const weight of weights) {
    total += weight;
    sums.push(total);
  }
  return weights.map((_, i) => {
    const at = uniform(key, i) * total;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

function sampled({ features, vectors, width }: Bag, size: number, key: RandomKey): TensorData {
  if (vectors <= size) return float32([vectors, width], features);
  const from = integer(key, 0, 0x7fffffff);
  const chosen = permutation(fold(key, from), vectors).slice(0, size);
  const data = new Float32Array(size * width);
  for (const [i, at] of chosen.entries()) data.set(features.subarray(at * width, (at + 1) * width), i * width);
  return float32([size, width], data);
}

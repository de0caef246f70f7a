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

/** Mean and deviation of each number of a feature vector over the training bags' vectors. */
export interface FeatureScale {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export function featureScale(bags: readonly Bag[]): FeatureScale {
  const { width } = bags[0]!;
  const vectors = bags.reduce((sum, bag) => sum + bag.vectors, 0);
  const means = (of: (value: number, i: number) => number) => {
    const sums = new Array<number>(width).fill(0);
    for (const { features } of bags) {
      for (const [at, value] of features.entries()) sums[at % width]! += of(value, at % width);
    }
    return sums.map((sum) => sum / vectors);
  };
  const mean = means((value) => value);
  const std = means((value, i) => (value - mean[i]!) ** 2).map((variance) => Math.sqrt(variance) || 1);
  return { mean, std };
}

/** Bags whose features are scaled: raw ones of a tower are far from 0, where an attention's tanh and sigmoid are flat. */
export function scaledBags(bags: readonly Bag[], { mean, std }: FeatureScale): readonly Bag[] {
  return bags.map((bag) => ({
    ...bag,
    features: bag.features.map((value, i) => (value - mean[i % bag.width]!) / std[i % bag.width]!),
  }));
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

/** As many bags as there are, drawn by their weights with replacement, in batches, with the vectors that a step sees. */
export function drawnBatches({ bags, weights, bagSize, batchSize, seed, epoch }: BagEpoch) {
  const key = randomKey(seed, "bags", epoch);
  const order = drawByWeight(weights, fold(key, "order"));
  return Array.from({ length: Math.ceil(order.length / batchSize) }, (_, b) => {
    const start = b * batchSize;
    return order.slice(start, start + batchSize).map((at, i) => {
      const bag = bags[at]!;
      return { bag, x: sampled(bag, bagSize, fold(fold(key, start), i)) };
    });
  });
}

/** An epoch of drawn bags; returns the mean Huber loss. */
export async function bagEpoch(head: Attached, o: BagEpoch): Promise<number> {
  let total = 0;
  for (const batch of drawnBatches(o)) {
    for (const { bag, x } of batch) {
      const y = await head.forward(x);
      const target = float32([1], [(bag.target - o.scale.mean) / o.scale.std]);
      const { loss, gradients } = await head.loss("huber", { y, target, weight: float32([1], [1 / batch.length]) });
      await head.backward(x, float32([1], gradients["y"]!));
      total += (loss * batch.length) / o.bags.length;
    }
    head.step(o.optimiser);
  }
  return total;
}

/** A number for every bag, of all its vectors. */
export async function predictBags(head: Attached, bags: readonly Bag[], { mean, std }: TargetScale): Promise<number[]> {
  const predictions: number[] = [];
  for (const bag of bags) {
    const y = await head.forward(vectorsOf(bag));
    predictions.push(mean + std * y.data[0]!);
  }
  return predictions;
}

/** All vectors of a bag. */
export function vectorsOf({ features, vectors, width }: Bag): TensorData {
  return float32([vectors, width], features);
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

function sampled(bag: Bag, size: number, key: RandomKey): TensorData {
  const { features, vectors, width } = bag;
  if (vectors <= size) return vectorsOf(bag);
  const from = integer(key, 0, 0x7fffffff);
  const chosen = permutation(fold(key, from), vectors).slice(0, size);
  const data = new Float32Array(size * width);
  for (const [i, at] of chosen.entries()) data.set(features.subarray(at * width, (at + 1) * width), i * width);
  return float32([size, width], data);
}

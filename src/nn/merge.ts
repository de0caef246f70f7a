/**
 * Merging of dense updates to one weight matrix, element by element: means, sums, and TIES (Yadav et al., arXiv 2306.01708)
 * as PEFT 0.21 computes it (merge_utils.py there).
 */
import { fold, permutation, type RandomKey } from "../core/random.ts";
import { keepLargest } from "./prune.ts";

export const mergeMethods = ["mean", "sum", "ties", "dare_ties"] as const;
export type MergeMethod = (typeof mergeMethods)[number];

export interface MergeOptions {
  readonly method: MergeMethod;
  /** One per update. */
  readonly weights: readonly number[];
  /** Of `ties` and `dare_ties`: the share of each update's elements that is kept. */
  readonly density: number;
  /** Factor on the result. */
  readonly lambda: number;
  /** Decides what `dare_ties` drops. */
  readonly key: RandomKey;
}

/** The merged update; all updates have one length. */
export function mergeUpdates(updates: readonly Float32Array[], o: MergeOptions): Float32Array {
  const { method, weights, density, lambda } = o;
  if (method === "ties" || method === "dare_ties") {
    const kept = updates.map((update, u) => (method === "ties" ? trimmed(update, density) : dropped(update, u, o)));
    return agreeing(kept, weights).map((value) => lambda * value);
  }
  const divisor = method === "mean" ? weights.reduce((sum, weight) => sum + weight, 0) : 1;
  return new Float32Array(updates[0]!.length).map((_, i) => {
    return (lambda * updates.reduce((sum, update, u) => sum + weights[u]! * update[i]!, 0)) / divisor;
  });
}

/** The ⌊density · n⌋ largest elements, the others 0. */
function trimmed(update: Float32Array, density: number): Float32Array {
  const count = Math.floor(density * update.length + 1e-9);
  const mask = keepLargest(update.map(Math.abs), 1 - count / update.length);
  return update.map((value, i) => (mask[i] === 1 ? value : 0));
}

/** A random share of the elements, scaled so that the mean stays (DARE, arXiv 2311.03099). */
function dropped(update: Float32Array, u: number, { density, key }: MergeOptions): Float32Array {
  const order = permutation(fold(key, u), update.length);
  const result = new Float32Array(update.length);
  for (const i of order.slice(0, Math.floor(density * update.length))) result[i] = update[i]! / density;
  return result;
}

/** The weighted mean of the elements whose sign is that of the sum of all (0 counts as +). */
function agreeing(updates: readonly Float32Array[], weights: readonly number[]): Float32Array {
  return new Float32Array(updates[0]!.length).map((_, i) => {
    const sign = updates.reduce((sum, update) => sum + update[i]!, 0) >= 0 ? 1 : -1;
    let [sum, count] = [0, 0];
    for (const [u, update] of updates.entries()) {
      if (Math.sign(update[i]!) !== sign) continue;
      sum += weights[u]! * update[i]!;
      count++;
    }
    return count === 0 ? 0 : sum / count;
  });
}

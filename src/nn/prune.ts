/** Masks of pruning: which elements of a weight stay. A larger sparsity keeps a subset of what a smaller one keeps. */
import { permutation, randomKey } from "../core/random.ts";

/** Keeps the largest scores, of equal ones the later: 1 for kept, 0 for dropped; round(sparsity x n) are dropped. */
export function keepLargest(scores: ArrayLike<number>, sparsity: number): Uint8Array {
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const mask = new Uint8Array(scores.length).fill(1);
  for (const i of order.slice(0, Math.round(sparsity * scores.length))) mask[i] = 0;
  return mask;
}

/** The same for each row of `width` elements by itself, as Wanda compares (locuslab/wanda, lib/prune.py). */
export function keepLargestPerRow(scores: Float64Array, width: number, sparsity: number): Uint8Array {
  const mask = new Uint8Array(scores.length);
  for (let start = 0; start < scores.length; start += width) {
    mask.set(keepLargest(scores.subarray(start, start + width), sparsity), start);
  }
  return mask;
}

/** Scores of Wanda: |W| x the norm of each input over calibration rows. */
export function wandaScores(weights: ArrayLike<number>, inputNorms: ArrayLike<number>): Float64Array {
  return Float64Array.from(weights, (weight, i) => Math.abs(weight) * inputNorms[i % inputNorms.length]!);
}

/** Scores by the loss's gradient: |W x g| (our reading of gradient-aware pruning in arXiv 2503.23924). */
export function gradientScores(weights: ArrayLike<number>, gradient: ArrayLike<number>): Float64Array {
  return Float64Array.from(weights, (weight, i) => Math.abs(weight * gradient[i]!));
}

/** Scores in random order, the control of the others. */
export function randomScores(n: number, seed: number, name: string): Int32Array {
  return permutation(randomKey(seed, "prune", name), n);
}

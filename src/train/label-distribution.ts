/**
 * Weights of numeric targets by how rare they are (label-distribution smoothing, arXiv 2102.09554; idea of HRD,
 * arXiv 2602.00151): one over the density of a target's bin, or its root, with mean 1.
 */
export interface DensityOptions {
  readonly binWidth: number;
  /** 1: one over the density; 0.5: one over its root; 0: all weigh the same. */
  readonly power: number;
  /** Bins are smoothed by a Gaussian over five of them, σ 2. */
  readonly smooth: boolean;
}

/** The kernel of the smoothing, its largest value 1 (ours: YyzHarry/imbalanced-regression's is flatter by reflection). */
export const SMOOTHING = [-2, -1, 0, 1, 2].map((x) => Math.exp(-(x ** 2) / (2 * 2 ** 2)));

/** A weight per target. */
export function labelWeights(targets: readonly number[], { binWidth, power, smooth }: DensityOptions): number[] {
  const bins = targets.map((target) => Math.floor(target / binWidth));
  const first = Math.min(...bins);
  const counts = new Array<number>(Math.max(...bins) - first + 1).fill(0);
  for (const bin of bins) counts[bin - first]!++;
  const density = smooth ? smoothed(counts) : counts;
  const weights = bins.map((bin) => density[bin - first]! ** -power);
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return weights.map((weight) => weight / mean);
}

/** Counts after the kernel, nothing beyond the ends. */
export function smoothed(counts: readonly number[]): number[] {
  const total = SMOOTHING.reduce((sum, value) => sum + value, 0);
  return counts.map((_, i) => SMOOTHING.reduce((sum, value, k) => sum + value * (counts[i + k - 2] ?? 0), 0) / total);
}

/**
 * Gradient-boosted trees on histograms: features in at most 32 bins, second-order gains, shallow trees grown level by
 * level, early stopping. The rule of a split and of a leaf is that of scikit-learn's HistGradientBoosting.
 */
import type { Features } from "./features.ts";

export interface TreeOptions {
  /** Default 200. */
  readonly maxTrees?: number;
  /** Default 3. */
  readonly depth?: number;
  /** Default 0.1. */
  readonly rate?: number;
  /** Default 20. */
  readonly minLeaf?: number;
  /** The features in bins, where several fits share them. */
  readonly columns?: readonly Column[];
  /** Held-out rows: trees that no longer lower their loss within 10 rounds are dropped. */
  readonly stopOn?: { readonly features: Features; readonly targets: ArrayLike<number> };
}

/** Boosted trees; `base` and the trees' sum are log-odds, or the target itself for squared error. */
export interface BoostedTrees {
  readonly objective: TreeObjective;
  readonly base: number;
  readonly trees: readonly Tree[];
}

export type TreeObjective = "log_loss" | "squared_error";

/** A split sends values at or below `threshold` to the left. */
type Tree =
  | { readonly value: number }
  | { readonly column: number; readonly threshold: number; readonly left: Tree; readonly right: Tree };

const MAX_BINS = 32;
const MIN_LEAF = 20;
const MIN_HESSIAN = 1e-3;
const PATIENCE = 10;

/** Fits trees to targets 0 and 1 (log loss) or numbers (squared error). */
export function fitTrees(
  features: Features,
  targets: ArrayLike<number>,
  objective: TreeObjective,
  { maxTrees = 200, depth = 3, rate = 0.1, minLeaf = MIN_LEAF, stopOn, columns: binned }: TreeOptions = {},
): BoostedTrees {
  const { n } = features;
  const columns = binned ?? binnedColumns(features, minLeaf);
  const mean = Array.from(targets).reduce((sum, value) => sum + value, 0) / n;
  const base = objective === "log_loss" ? Math.log(clip(mean) / (1 - clip(mean))) : mean;
  const raw = new Float64Array(n).fill(base);
  const held = stopOn === undefined ? null : new Float64Array(stopOn.features.n).fill(base);
  const trees: Tree[] = [];
  let [best, bestSize] = [Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < maxTrees; round++) {
    const gradients = new Float64Array(n);
    const hessians = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const p = objective === "log_loss" ? 1 / (1 + Math.exp(-raw[i]!)) : raw[i]!;
      gradients[i] = p - targets[i]!;
      hessians[i] = objective === "log_loss" ? p * (1 - p) : 1;
    }
    const all = Int32Array.from({ length: n }, (_, i) => i);
    const slopes = { gradients, hessians };
    const tree = grow(columns, slopes, all, histogramOf(columns, slopes, all), { depth, rate, minLeaf }, raw);
    if ("value" in tree) break; // no split gains anything
    trees.push(tree);
    if (held === null) continue;
    for (let i = 0; i < held.length; i++) held[i]! += leafOf(tree, stopOn!.features, i);
    const loss = lossOf(held, stopOn!.targets, objective);
    if (loss < best - 1e-7) [best, bestSize] = [loss, trees.length];
    else if (trees.length - bestSize >= PATIENCE) break;
  }
  return { objective, base, trees: held === null ? trees : trees.slice(0, bestSize) };
}

/** Probabilities of target 1, or predicted numbers. */
export function treePredictions({ objective, base, trees }: BoostedTrees, features: Features): Float64Array {
  return Float64Array.from({ length: features.n }, (_, i) => {
    const raw = trees.reduce((sum, tree) => sum + leafOf(tree, features, i), base);
    return objective === "log_loss" ? 1 / (1 + Math.exp(-raw)) : raw;
  });
}

/** A column of features in bins. */
export interface Column {
  readonly index: number;
  readonly thresholds: readonly number[];
  readonly bins: Uint8Array;
}

/** Columns in bins; those in which fewer than `minLeaf` rows differ from the rest cannot be split and are left out. */
export function binnedColumns(features: Features, minLeaf = MIN_LEAF): readonly Column[] {
  const found: Column[] = [];
  for (const [index, values] of columnsOf(features)) {
    const sorted = Float64Array.from(values).sort();
    const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
    if (distinct.length < 2) continue;
    const thresholds = thresholdsOf(sorted, distinct);
    const bins = Uint8Array.from(values, (value) => binOf(value, thresholds));
    const counts = new Array<number>(thresholds.length + 1).fill(0);
    for (const bin of bins) counts[bin]! += 1;
    if (features.n - Math.max(...counts) >= minLeaf) found.push({ index, thresholds, bins });
  }
  return found;
}

/** Midpoints between distinct values, or between quantiles where there are more than 32 distinct values. */
function thresholdsOf(sorted: Float64Array, distinct: Float64Array): readonly number[] {
  if (distinct.length <= MAX_BINS) {
    return Array.from({ length: distinct.length - 1 }, (_, i) => (distinct[i]! + distinct[i + 1]!) / 2);
  }
  const cuts = Array.from({ length: MAX_BINS - 1 }, (_, i) => {
    const rank = ((i + 1) * sorted.length) / MAX_BINS; // numpy's percentile with method "averaged_inverted_cdf"
    return Number.isInteger(rank) ? (sorted[rank - 1]! + sorted[rank]!) / 2 : sorted[Math.floor(rank)]!;
  });
  return [...new Set(cuts)];
}

function binOf(value: number, thresholds: readonly number[]): number {
  let [low, high] = [0, thresholds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= thresholds[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

function* columnsOf({ n, width, dense, sparse, sparseWidth }: Features): Generator<readonly [number, Float64Array]> {
  for (let j = 0; j < width; j++) yield [j, Float64Array.from({ length: n }, (_, i) => dense[i * width + j]!)];
  const used = new Map<number, Float64Array>();
  for (const [i, { columns, values }] of sparse.entries()) {
    for (const [c, column] of columns.entries()) {
      const all = used.get(column) ?? new Float64Array(n);
      all[i] = values[c]!;
      used.set(column, all);
    }
  }
  for (const [column, values] of [...used].sort(([a], [b]) => a - b)) {
    if (column < sparseWidth) yield [width + column, values];
  }
}

interface Growth {
  readonly depth: number;
  readonly rate: number;
  readonly minLeaf: number;
}

/** First and second derivatives of the loss in each row. */
interface Slopes {
  readonly gradients: Float64Array;
  readonly hessians: Float64Array;
}

/** Sums over rows of gradient, hessian and 1: [columns, bins, 3]. */
type Histogram = Float64Array;

/** Grows a tree over the rows, whose histogram is given, and adds its leaves' values to `raw`. */
function grow(
  columns: readonly Column[],
  slopes: Slopes,
  rows: Int32Array,
  histogram: Histogram | null,
  growth: Growth,
  raw: Float64Array,
): Tree {
  const { minLeaf, depth, rate } = growth;
  const [gradient, hessian] = [sumOver(slopes.gradients, rows), sumOver(slopes.hessians, rows)];
  const split = histogram === null ? null : bestSplit(columns, histogram, gradient, hessian, rows.length, minLeaf);
  if (split === null) {
    const value = (-rate * gradient) / (hessian + 1e-15);
    for (const i of rows) raw[i]! += value;
    return { value };
  }
  const { column, bin } = split;
  const left = rows.filter((i) => column.bins[i]! <= bin);
  const right = rows.filter((i) => column.bins[i]! > bin);
  const below = { ...growth, depth: depth - 1 };
  const [ofLeft, ofRight] = depth === 1 ? [null, null] : childHistograms(columns, slopes, left, right, histogram!);
  return {
    column: column.index,
    threshold: column.thresholds[bin]!,
    left: grow(columns, slopes, left, ofLeft, below, raw),
    right: grow(columns, slopes, right, ofRight, below, raw),
  };
}

/** Of two children the smaller is summed and the larger is what remains of the parent. */
function childHistograms(
  columns: readonly Column[],
  slopes: Slopes,
  left: Int32Array,
  right: Int32Array,
  parent: Histogram,
): readonly [Histogram, Histogram] {
  const smaller = histogramOf(columns, slopes, left.length < right.length ? left : right);
  const larger = parent.map((sum, i) => sum - smaller[i]!);
  return left.length < right.length ? [smaller, larger] : [larger, smaller];
}

function histogramOf(columns: readonly Column[], { gradients, hessians }: Slopes, rows: Int32Array): Histogram {
  const histogram = new Float64Array(columns.length * MAX_BINS * 3);
  for (let c = 0; c < columns.length; c++) {
    const { bins } = columns[c]!;
    const offset = c * MAX_BINS * 3;
    for (let r = 0; r < rows.length; r++) {
      const i = rows[r]!;
      const at = offset + 3 * bins[i]!;
      histogram[at]! += gradients[i]!;
      histogram[at + 1]! += hessians[i]!;
      histogram[at + 2]! += 1;
    }
  }
  return histogram;
}

/** The split with the largest gain, the first column and bin of equal ones; null where none gains. */
function bestSplit(
  columns: readonly Column[],
  histogram: Histogram,
  gradient: number,
  hessian: number,
  n: number,
  minLeaf: number,
) {
  if (n < 2 * minLeaf) return null;
  const whole = gradient ** 2 / (hessian + 1e-15);
  let best: { readonly column: Column; readonly bin: number } | null = null;
  let highest = 1e-7;
  for (const [c, column] of columns.entries()) {
    let [gl, hl, nl] = [0, 0, 0];
    for (let bin = 0; bin < column.thresholds.length; bin++) {
      const at = (c * MAX_BINS + bin) * 3;
      gl += histogram[at]!;
      hl += histogram[at + 1]!;
      nl += histogram[at + 2]!;
      const [gr, hr, nr] = [gradient - gl, hessian - hl, n - nl];
      if (nl < minLeaf || nr < minLeaf || hl < MIN_HESSIAN || hr < MIN_HESSIAN) continue;
      const gain = gl ** 2 / (hl + 1e-15) + gr ** 2 / (hr + 1e-15) - whole;
      if (gain > highest) [best, highest] = [{ column, bin }, gain];
    }
  }
  return best;
}

function leafOf(tree: Tree, { width, dense, sparse }: Features, i: number): number {
  let at = tree;
  while (!("value" in at)) {
    const { column } = at;
    const value = column < width ? dense[i * width + column]! : sparseValue(sparse[i]!, column - width);
    at = value <= at.threshold ? at.left : at.right;
  }
  return at.value;
}

function sparseValue({ columns, values }: Features["sparse"][number], column: number): number {
  const at = columns.indexOf(column);
  return at < 0 ? 0 : values[at]!;
}

function lossOf(raw: Float64Array, targets: ArrayLike<number>, objective: TreeObjective): number {
  let sum = 0;
  for (let i = 0; i < raw.length; i++) {
    if (objective === "squared_error") sum += (raw[i]! - targets[i]!) ** 2;
    else sum += Math.log1p(Math.exp(targets[i] === 1 ? -raw[i]! : raw[i]!));
  }
  return sum / raw.length;
}

function sumOver(values: Float64Array, rows: Int32Array): number {
  let sum = 0;
  for (const i of rows) sum += values[i]!;
  return sum;
}

function clip(share: number): number {
  return Math.min(1 - 1e-9, Math.max(1e-9, share));
}

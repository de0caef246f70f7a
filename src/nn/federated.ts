/**
 * Averages of the adapters that several sites trained from one start, layer by layer. The mean of products is not the
 * product of means, so averaging the factors apart has an error, which every way reports. Sums are in float64.
 */
import { truncate } from "./svd.ts";

/** An adapter's matrices of one layer: A [rank, in] and B [out, rank], row-major. */
export interface Factors {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
}

/** Sizes of a layer's adapter. */
export interface FactorSizes {
  readonly rank: number;
  readonly rows: number;
  readonly columns: number;
}

export interface AveragedFactors {
  readonly a: Float64Array;
  readonly b: Float64Array;
  /** Σ w B A − b a [out, in], which belongs into the base; null where the base stays as it is. */
  readonly residual: Float64Array | null;
  /** ‖Σ w B A‖², and ‖Σ w B A − b a‖². */
  readonly square: number;
  readonly errorSquare: number;
}

type Average = (list: readonly Factors[], weights: readonly number[], sizes: FactorSizes) => AveragedFactors;

/**
 * By name: `fedavg` averages A and B apart (FedAvg, arXiv 1602.05629, on adapters as FederatedGPT-Shepherd does), `fedex`
 * adds what that leaves out to the base (FedEx-LoRA, arXiv 2410.09432), `svd` is the nearest adapter of the same rank to the
 * exact average (ours). Weights sum to 1.
 */
export const averages = { fedavg: averageApart, fedex: averageWithResidual, svd: nearestToAverage } satisfies Readonly<
  Record<string, Average>
>;
export type AverageName = keyof typeof averages;

/** Weights n_k / Σ n of counts. */
export function sharesOf(counts: readonly number[]): readonly number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}

function averageApart(list: readonly Factors[], weights: readonly number[], sizes: FactorSizes): AveragedFactors {
  const { a, b, residual, square } = apart(list, weights, sizes);
  return { a, b, residual: null, square, errorSquare: squareOf(residual) };
}

function averageWithResidual(list: readonly Factors[], weights: readonly number[], sizes: FactorSizes) {
  const { a, b, residual, square } = apart(list, weights, sizes);
  return { a, b, residual, square, errorSquare: squareOf(residual) };
}

function nearestToAverage(list: readonly Factors[], weights: readonly number[], sizes: FactorSizes): AveragedFactors {
  const exact = exactAverage(list, weights, sizes);
  const { a, b, lost } = truncate(exact, sizes.rows, sizes.columns, sizes.rank);
  return { a, b, residual: null, square: squareOf(exact), errorSquare: lost ** 2 };
}

function apart(list: readonly Factors[], weights: readonly number[], sizes: FactorSizes) {
  const a = weightedSum(
    list.map((factors) => factors.a),
    weights,
  );
  const b = weightedSum(
    list.map((factors) => factors.b),
    weights,
  );
  const residual = exactAverage(list, weights, sizes);
  const square = squareOf(residual);
  addProduct(residual, { a, b }, -1, sizes);
  return { a, b, residual, square };
}

/** Σ w B A [out, in]. */
function exactAverage(list: readonly Factors[], weights: readonly number[], sizes: FactorSizes): Float64Array {
  const sum = new Float64Array(sizes.rows * sizes.columns);
  for (const [k, factors] of list.entries()) addProduct(sum, factors, weights[k]!, sizes);
  return sum;
}

function weightedSum(list: readonly ArrayLike<number>[], weights: readonly number[]): Float64Array {
  return Float64Array.from({ length: list[0]!.length }, (_, i) =>
    list.reduce((sum, values, k) => sum + weights[k]! * values[i]!, 0),
  );
}

function addProduct(sum: Float64Array, { a, b }: Factors, scale: number, { rank, rows, columns }: FactorSizes): void {
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < rank; k++) {
      const factor = scale * b[row * rank + k]!;
      for (let j = 0; j < columns; j++) sum[row * columns + j]! += factor * a[k * columns + j]!;
    }
  }
}

function squareOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

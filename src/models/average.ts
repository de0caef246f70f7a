/** The average of adapters that several sites trained from one start, over whole adapters: layer by layer, one at a time. */
import { UserError } from "../core/errors.ts";
import { type AverageName, averages, type FactorSizes } from "../nn/federated.ts";
import type { LayerMatrices, OpenAdapter } from "./combine.ts";
import type { Model } from "./model.ts";

export { type AverageName, averages, sharesOf } from "../nn/federated.ts";

export interface AveragedAdapters {
  readonly layers: ReadonlyMap<string, LayerMatrices>;
  /** ‖Σ w B A − b a‖ / ‖Σ w B A‖ over all layers: what the averaged factors leave out of the exact average. */
  readonly aggregationError: number;
  /** What belongs into a layer's matrix of the base [out, in]; null where the way leaves the base alone. */
  readonly residual: ((layer: string) => Float64Array | null) | null;
}

/** Averages adapters of one configuration; `shares` sum to 1. */
export function averageAdapters(
  base: Model,
  adapters: readonly OpenAdapter[],
  way: AverageName,
  shares: readonly number[],
): AveragedAdapters {
  const own = adapters[0]!.model.adapters!;
  const averageOf = (layer: string) => {
    const { rank } = own.get(layer)!;
    const [rows, columns] = base.weights[`${layer}.weight`]!.shape as [number, number];
    const sizes: FactorSizes = { rank, rows, columns };
    return averages[way](
      adapters.map(({ reader }) => reader.layer(layer)!),
      shares,
      sizes,
    );
  };
  const layers = new Map<string, LayerMatrices>();
  let [square, errorSquare] = [0, 0];
  let changesBase = false;
  for (const [layer, { scaling }] of own) {
    const found = averageOf(layer);
    layers.set(layer, { a: Float32Array.from(found.a), b: Float32Array.from(found.b) });
    square += scaling ** 2 * found.square;
    errorSquare += scaling ** 2 * found.errorSquare;
    changesBase ||= found.residual !== null;
  }
  const residual = (layer: string) => {
    const adapter = own.get(layer);
    return adapter === undefined ? null : averageOf(layer).residual!.map((value) => adapter.scaling * value);
  };
  return {
    layers,
    aggregationError: square === 0 ? 0 : Math.sqrt(errorSquare / square),
    residual: changesBase ? residual : null,
  };
}

/** UserError unless all adapters have the same layers, ranks and scales; `paths` are theirs. */
export function requireAlike(adapters: readonly OpenAdapter[], paths: readonly string[]): void {
  const text = ({ model }: OpenAdapter) => JSON.stringify([...model.adapters!].sort(([a], [b]) => (a < b ? -1 : 1)));
  const first = text(adapters[0]!);
  const other = adapters.findIndex((adapter) => text(adapter) !== first);
  if (other < 0) return;
  throw new UserError(
    `${paths[0]} and ${paths[other]} have other layers, ranks or scales: only adapters of one start can be averaged`,
  );
}

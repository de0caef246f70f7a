/** The weights of a model in memory, float32, by Hugging Face name, with their gradients and optimiser moments. */
import { totalmem } from "node:os";
import { QUANTIZED_BLOCK } from "../../compiler/ops/quantized.ts";
import type { Params } from "../../compiler/tensor.ts";
import { UserError } from "../../core/errors.ts";
import { normal, randomKey, uniform } from "../../core/random.ts";
import { float32, sizeOf, type TensorData, tensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { packedName, scalesName } from "../../models/quantize.ts";
import { openStoredWeights } from "../../models/stored-weights.ts";
import { type AdamWState, adamWStep, clipScale, globalNorm } from "../../nn/adamw.ts";
import { quantize } from "../../nn/quantize.ts";
import { type MaskState, stepUnderMask, updateMasks } from "../../nn/update-masks.ts";
import { createVectorKernels } from "../../nn/vector-kernels.ts";
import type { OnWeight } from "../backend.ts";
import type { OptimResult, OptimStep } from "../engine.ts";
import { contiguousAllocator } from "./fused-weights.ts";

export class WeightStore {
  readonly model: Model;
  readonly values: Params<TensorData>;
  /** Names of the weights with gradients, which the optimiser updates. */
  readonly trainable: ReadonlySet<string>;
  /** Kernels for loops over whole weights and gradients. */
  readonly kernels = createVectorKernels();
  readonly #gradients = new Map<string, Float32Array>();
  readonly #moments = new Map<string, AdamWState>();
  readonly #masks = new Map<string, MaskState>();
  #steps = 0;

  constructor(model: Model, values: Params<TensorData>, trainable: ReadonlySet<string>) {
    this.model = model;
    this.values = values;
    this.trainable = trainable;
  }

  /** Accumulates a weight's gradient; the first array is adopted, not copied. Ignored for frozen weights. */
  accumulate(name: string, gradient: TensorData): void {
    if (!this.trainable.has(name)) return;
    const total = this.#gradients.get(name);
    if (total === undefined) {
      this.#gradients.set(name, gradient.data as Float32Array);
      return;
    }
    this.kernels.addInPlace(total, gradient.data as Float32Array);
  }

  /** Scatter-adds rows [n, …] to a weight's gradient; rows with index −1 are skipped. Ignored for frozen weights. */
  accumulateRows(name: string, rows: Int32Array, gradient: Float32Array): void {
    if (!this.trainable.has(name)) return;
    const { shape } = this.values[name]!;
    let total = this.#gradients.get(name);
    if (total === undefined) {
      total = new Float32Array(sizeOf(shape));
      this.#gradients.set(name, total);
    }
    addAt(total, rows, gradient, sizeOf(shape.slice(1)));
  }

  /** Gives those of these weights a gradient of zeros that have none yet; ignored for frozen ones. */
  reach(names: Iterable<string>): void {
    for (const name of names) {
      if (!this.trainable.has(name) || this.#gradients.has(name)) continue;
      this.#gradients.set(name, new Float32Array(sizeOf(this.values[name]!.shape)));
    }
  }

  /** The accumulated gradient, or null when no `accumulate` came since the last step. */
  gradient(name: string): Float32Array | null {
    return this.#gradients.get(name) ?? null;
  }

  /** One AdamW step on the accumulated gradients, which are then cleared; a mask that is drawn is by the seed. */
  step(o: OptimStep, seed = 0): OptimResult {
    const gradNorm = globalNorm(this.kernels, this.#gradients.values());
    if (!Number.isFinite(gradNorm)) {
      this.#gradients.clear();
      return { gradNorm };
    }
    this.#steps++;
    const scale = clipScale(gradNorm, o.maxGradNorm);
    const mask = updateMasks[o.importanceMasking ?? "none"];
    for (const [name, gradient] of this.#gradients) {
      const { shape, data } = this.values[name]!;
      const parameter = data as Float32Array;
      const own = { ...o, weightDecay: shape.length >= 2 ? o.weightDecay : 0 };
      const step = () => adamWStep(this.kernels, parameter, gradient, this.moments(name), own, this.#steps, scale);
      if (mask === null) step();
      else {
        const key = randomKey(seed, "importance_masking", name);
        stepUnderMask(mask, { parameter, gradient, gradientScale: scale, state: this.mask(name), key }, step);
      }
    }
    this.#gradients.clear();
    return { gradNorm };
  }

  moments(name: string): AdamWState {
    let state = this.#moments.get(name);
    if (state === undefined) {
      const size = sizeOf(this.values[name]!.shape);
      state = { first: new Float32Array(size), second: new Float32Array(size) };
      this.#moments.set(name, state);
    }
    return state;
  }

  /** Where a weight began under a mask, and the sum of its gradients since; new at the weight's first masked update. */
  mask(name: string): MaskState {
    let state = this.#masks.get(name);
    if (state === undefined) {
      const start = (this.values[name]!.data as Float32Array).slice();
      state = { start, total: new Float32Array(start.length) };
      this.#masks.set(name, state);
    }
    return state;
  }

  /** The number of updates, and the names of weights with moments and of those under a mask. */
  get optimizer(): {
    readonly steps: number;
    readonly names: readonly string[];
    readonly masked: readonly string[];
  } {
    return { steps: this.#steps, names: [...this.#moments.keys()], masked: [...this.#masks.keys()] };
  }

  restoreOptimizer(steps: number): void {
    this.#moments.clear();
    this.#masks.clear();
    this.#gradients.clear();
    this.#steps = steps;
  }

  /** A frozen snapshot of the current values: trained weights are copied, others shared. */
  copyValues(): Params<TensorData> {
    const copy = (t: TensorData): TensorData => ({ ...t, data: t.data.slice() });
    return Object.fromEntries(
      Object.entries(this.values).map(([name, t]) => [name, this.trainable.has(name) ? copy(t) : t]),
    );
  }
}

/** Scatter-adds the rows of `added` to `total`; rows with index −1 are skipped. */
export function addAt(total: Float32Array, rows: Int32Array, added: Float32Array, width: number): void {
  for (const [i, row] of rows.entries()) {
    if (row < 0) continue;
    for (let k = 0; k < width; k++) total[row * width + k]! += added[i * width + k]!;
  }
}

/** Random values by each weight's initialisation rule; they depend only on seed and name. */
export function randomWeights(weights: Model["weights"], seed: number): Params<TensorData> {
  const bytes = Object.values(weights).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  if (bytes > totalmem()) {
    const gb = (n: number) => (n / 1e9).toPrecision(3);
    throw new UserError(
      `config.json describes weights of ${gb(bytes)} GB, more than this machine's memory of ${gb(totalmem())} GB`,
    );
  }
  return mapWeights(weights, (name, shape) => {
    const data = new Float32Array(sizeOf(shape));
    const { initialiser } = weights[name]!;
    const key = randomKey(seed, "initialise", name);
    if (initialiser.kind === "ones") data.fill(1);
    if (initialiser.kind === "constant") data.fill(initialiser.value);
    if (initialiser.kind === "normal") {
      for (let i = 0; i < data.length; i++) data[i] = initialiser.std * normal(key, i);
    }
    if (initialiser.kind === "uniform") {
      const filled = (data.length / shape[0]!) * initialiser.rows;
      for (let i = 0; i < filled; i++) data[i] = initialiser.bound * (2 * uniform(key, i) - 1);
    }
    return data;
  });
}

/** Reads a checkpoint's weights; missing, unexpected and misshapen ones are one clear error. */
export function readWeights(model: Model, folder: string, onRead: OnWeight = () => {}): Params<TensorData> {
  const weights = openStoredWeights(model, folder);
  const place = contiguousAllocator(model);
  try {
    const total = Object.keys(model.weights).length;
    let done = 0;
    return mapWeights(model.weights, (name) => {
      onRead(done++, total);
      return place(name, weights.read(name));
    });
  } finally {
    weights.close();
  }
}

/**
 * Names of weights that are not frozen: a pattern freezes names that contain it; "vision" is the whole vision tower.
 */
export function trainableNames(model: Model, freeze: readonly string[]): ReadonlySet<string> {
  const vision = new Set(visionNames(model));
  const frozen = (name: string) =>
    freeze.some((pattern) => (pattern === "vision" ? vision.has(name) : name.includes(pattern)));
  const names = Object.keys(model.weights);
  for (const pattern of freeze) {
    if (pattern !== "vision" && !names.some((name) => name.includes(pattern))) {
      throw new UserError(`model.freeze: no weight of ${model.modelType} has "${pattern}" in its name`);
    }
  }
  const kept = names.filter((name) => !frozen(name));
  if (kept.length === 0) throw new UserError("model.freeze: every weight is frozen, nothing is left to train");
  return new Set(kept);
}

export function visionNames({ vision }: Model): string[] {
  const blocks = Array.from({ length: vision.depth }, (_, i) =>
    vision.blockWeights.map((name) => vision.blockPrefix(i) + name),
  );
  return [...vision.stemWeights, ...blocks.flat(), ...vision.headWeights];
}

/** Reads weights one by one; of a quantised weight only integers and scales stay in memory. */
function mapWeights(
  weights: Model["weights"],
  read: (name: string, shape: readonly number[]) => Float32Array,
): Params<TensorData> {
  const entries = Object.entries(weights).flatMap(([name, { shape, quantized }]): [string, TensorData][] => {
    const data = read(name, shape);
    if (quantized === undefined) return [[name, { dtype: "float32", shape, data }]];
    const [out, into] = shape as [number, number];
    const { packed, scales } = quantize(data, quantized);
    return [
      [packedName(name), tensorData("uint8", [out, (into * quantized) / 8], packed)],
      [scalesName(name), float32([out, into / QUANTIZED_BLOCK], scales)],
    ];
  });
  return Object.fromEntries(entries);
}

/** The weights of a model, float32, by Hugging Face name, with their gradients and optimiser moments. */
import { totalmem } from "node:os";
import { QUANTIZED_BLOCK } from "../../compiler/ops/quantized.ts";
import type { Params } from "../../compiler/tensor.ts";
import { UserError } from "../../core/errors.ts";
import { normal, randomKey, uniform } from "../../core/random.ts";
import { float32, sizeOf, type TensorData, tensorData } from "../../core/tensor-data.ts";
import { isAdapterWeight } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { packedName, scalesName } from "../../models/quantize.ts";
import { openStoredWeights } from "../../models/stored-weights.ts";
import { clipScale } from "../../nn/adamw.ts";
import { quantize } from "../../nn/quantize.ts";
import { addGradient, drawBack, type MaskState, type UpdateMask, updateMasks } from "../../nn/update-masks.ts";
import { createVectorKernels } from "../../nn/vector-kernels.ts";
import type { OnWeight } from "../backend.ts";
import type { OptimResult, OptimStep } from "../engine.ts";
import type { Arrays, Moments, Update, UpdatedWeight } from "./arrays/arrays.ts";
import { hostArrays } from "./arrays/host-arrays.ts";
import { contiguousAllocator } from "./fused-weights.ts";

export class WeightStore {
  readonly model: Model;
  readonly values: Params<TensorData>;
  /** Names of the weights with gradients, which the optimiser updates. */
  readonly trainable: ReadonlySet<string>;
  /** Where all of these lie. */
  readonly arrays: Arrays;
  /** Kernels for loops over arrays of the host. */
  readonly kernels = createVectorKernels();
  readonly #gradients = new Map<string, TensorData>();
  readonly #moments = new Map<string, Moments>();
  readonly #masks = new Map<string, MaskState>();
  #steps = 0;

  constructor(model: Model, values: Params<TensorData>, trainable: ReadonlySet<string>, arrays = hostArrays()) {
    this.model = model;
    this.values = values;
    this.trainable = trainable;
    this.arrays = arrays;
  }

  /** Accumulates weights' gradients; the first array of each is adopted, not copied. Ignored for frozen weights. */
  accumulate(gradients: Params<TensorData>): void {
    const known = Object.keys(gradients).filter((name) => this.#gradients.has(name));
    this.arrays.add(
      known.map((name) => this.#gradients.get(name)!),
      known.map((name) => gradients[name]!),
    );
    for (const [name, gradient] of Object.entries(gradients)) {
      if (this.trainable.has(name) && !this.#gradients.has(name)) this.#gradients.set(name, gradient);
      else this.arrays.release([gradient]);
    }
  }

  /** Scatter-adds rows [n, …] to a weight's gradient; rows with index −1 are skipped. Ignored for frozen weights. */
  accumulateRows(name: string, rows: Int32Array, gradient: TensorData): void {
    if (!this.trainable.has(name)) return;
    this.reach([name]);
    this.arrays.addRows(this.#gradients.get(name)!, rows, gradient);
  }

  /** Gives those of these weights a gradient of zeros that have none yet; ignored for frozen ones. */
  reach(names: Iterable<string>): void {
    for (const name of names) {
      if (!this.trainable.has(name) || this.#gradients.has(name)) continue;
      this.#gradients.set(name, this.arrays.zerosLike(this.values[name]!));
    }
  }

  /** The accumulated gradient, or null when no `accumulate` came since the last step; on a device after `fetchGradients`. */
  gradient(name: string): Float32Array | null {
    return (this.#gradients.get(name)?.data as Float32Array | undefined) ?? null;
  }

  async fetchGradients(): Promise<void> {
    await this.arrays.fetch(this.#gradients.values(), "gradients");
  }

  /** One AdamW step on the accumulated gradients, which are then cleared; a mask that is drawn is by the seed. */
  async step(o: OptimStep, seed = 0): Promise<OptimResult> {
    const gradNorm = await this.arrays.norm([...this.#gradients.values()]);
    if (!Number.isFinite(gradNorm)) {
      this.#clearGradients();
      return { gradNorm };
    }
    this.#steps++;
    const update = { ...o, step: this.#steps, gradientScale: clipScale(gradNorm, o.maxGradNorm) };
    const mask = updateMasks[o.importanceMasking ?? "none"];
    const updated = [...this.#gradients].map(([name, gradient]) => {
      const weight = this.values[name]!;
      const weightDecay = weight.shape.length >= 2 ? o.weightDecay : 0;
      return { name, weight, gradient, weightDecay, ...this.moments(name) };
    });
    if (mask === null) this.arrays.adamW(updated, update);
    else for (const own of updated) this.#stepUnder(mask, own, update, seed);
    this.#clearGradients();
    return { gradNorm };
  }

  /** Masks are the host's, and so are the arrays that they are drawn over. */
  #stepUnder(mask: UpdateMask, own: UpdatedWeight & { readonly name: string }, update: Update, seed: number): void {
    const { name, weight, gradient } = own;
    const state = this.mask(name);
    addGradient(state, gradient.data as Float32Array, update.gradientScale);
    this.arrays.adamW([own], update);
    drawBack(mask, state, randomKey(seed, "importance_masking", name), weight.data as Float32Array);
  }

  moments(name: string): Moments {
    let state = this.#moments.get(name);
    if (state === undefined) {
      const zeros = () => this.arrays.zerosLike(this.values[name]!);
      state = { first: zeros(), second: zeros() };
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
    for (const { first, second } of this.#moments.values()) this.arrays.release([first, second]);
    this.#moments.clear();
    this.#masks.clear();
    this.#clearGradients();
    this.#steps = steps;
  }

  /** All that a checkpoint holds of it, for `data` to be read; `forget` ends that. */
  async fetch(): Promise<void> {
    await this.arrays.fetch(this.#saved(), "weights and moments");
  }

  forget(): void {
    this.arrays.forget(this.#saved());
  }

  /** Gives the memory of trained weights, gradients and moments free. */
  release(): void {
    this.restoreOptimizer(0);
    this.arrays.release([...this.trainable].map((name) => this.values[name]!));
  }

  /** Of a model with adapters these and a score head alone. */
  #saved(): TensorData[] {
    const { adapters, scoreHead } = this.model;
    const isSaved = (name: string) => adapters === undefined || isAdapterWeight(name) || name === scoreHead;
    return [
      ...Object.keys(this.values)
        .filter(isSaved)
        .map((name) => this.values[name]!),
      ...[...this.#moments.values()].flatMap(({ first, second }) => [first, second]),
    ];
  }

  #clearGradients(): void {
    this.arrays.release(this.#gradients.values());
    this.#gradients.clear();
  }

  /** A frozen snapshot of the current values: trained weights are copied, others shared. */
  copyValues(): Params<TensorData> {
    return Object.fromEntries(
      Object.entries(this.values).map(([name, t]) => [name, this.trainable.has(name) ? this.arrays.copy(t) : t]),
    );
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

/** Quantised weights and their scales, which never change: programs can hold them as constants. */
export function quantizedOnly(values: Params<TensorData>): Params<TensorData> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const weight = name.slice(0, -packedName("").length);
      return value.dtype === "uint8"
        ? [
            [name, value],
            [scalesName(weight), values[scalesName(weight)]!],
          ]
        : [];
    }),
  );
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

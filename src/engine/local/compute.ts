/** Runs a model's programs over its weights: compiled on first use, kept until the engine is closed. */
import { withQuantizedWeights } from "../../compiler/rewrite.ts";
import type { Params, Program } from "../../compiler/tensor.ts";
import type { Device } from "../../core/device.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { Model, Stack } from "../../models/model.ts";
import { LORA_MASK, LORA_SUM } from "../../nn/lora.ts";
import { bytesOfShape } from "../../runtime/device-memory.ts";
import { CompiledProgram } from "../../runtime/session.ts";
import type { Arrays } from "./arrays/arrays.ts";
import { openArrays } from "./arrays/index.ts";
import { SQUARES, withSquaredInputs } from "./input-norms.ts";
import {
  type AdapterMode,
  type BlockKind,
  type BlockPrograms,
  blockPrograms,
  localWeights,
  type ProgramPair,
} from "./programs.ts";
import type { WeightStore } from "./weight-store.ts";

/** Feeds of each block other than its input and weights: cos, sin and those of its kind. */
export type BlockFeeds = (index: number) => Params<TensorData>;

/** The programs of a part of the model, with a backward pass that differentiates the given weights. */
type PartPrograms = (trained: readonly string[]) => ProgramPair;

/**
 * Memory for activations saved by blocks: taken from the budget in the forward pass, returned layer by layer in the
 * backward pass.
 */
export interface ActivationBudget {
  readonly trainable: ReadonlySet<string>;
  /** Bytes still available; once they are used up, the backward pass recomputes a block. */
  readonly budget: { bytes: number };
}

/** The forward pass of a stack of blocks. */
export interface BlockStates {
  /** The input of block i at i, and the stack's output at `depth`; those not requested are missing. */
  readonly states: readonly TensorData[];
  /** Saved activations of block i; its backward pass removes them. */
  readonly kept: (Params<TensorData> | undefined)[];
}

const [none, all] = [() => false, () => true];

export class Compute {
  readonly model: Model;
  /** Where what its programs take and leave lies. */
  readonly arrays: Arrays;
  readonly #threads: number;
  readonly #device: Device;
  readonly #lean: boolean;
  readonly #sessions = new Map<string, Promise<CompiledProgram>>();
  readonly #tables = new Map<string, TensorData>();
  /** Sums of squared inputs by weight, while they are measured; null otherwise. */
  #squares: Map<string, Float64Array> | null = null;

  /** `lean` sessions free their memory after each run; who gives `arrays` closes them. */
  constructor(
    model: Model,
    threads: number,
    device: Device = "cpu",
    lean = false,
    arrays: Arrays = openArrays(device, threads),
  ) {
    this.model = model;
    this.arrays = arrays;
    this.#threads = threads;
    this.#device = device;
    this.#lean = lean;
  }

  /** Outputs that `stays` names remain where the arrays lie; the others are always the host's. */
  session(key: string, program: () => Program, stays: (output: string) => boolean = none): Promise<CompiledProgram> {
    let session = this.#sessions.get(key);
    if (session === undefined) {
      const { memory } = this.arrays;
      const options = { threads: this.#threads, device: this.#device, lean: this.#lean, memory, stays };
      session = CompiledProgram.compile(withQuantizedWeights(program()), options);
      this.#sessions.set(key, session);
    }
    return session;
  }

  /** A table that many programs are fed; it is made once. */
  table(key: string, make: () => TensorData): TensorData {
    const known = this.#tables.get(key) ?? this.arrays.hold(make());
    this.#tables.set(key, known);
    return known;
  }

  /** Runs the forward program of a part, whose weights have names below `prefix`, and returns its output. */
  async forward(key: string, programs: PartPrograms, feeds: Params<TensorData>, prefix = ""): Promise<TensorData> {
    if (this.#squares !== null) return this.#measured(key, programs, feeds, prefix, this.#squares);
    const session = await this.session(`${key}.forward`, () => programs([]).forward, all);
    return (await session.run(feeds))["y"]!;
  }

  /**
   * Runs the backward program of a part: accumulates the gradients of its trained weights (local names, prefixed) in
   * the store and returns the gradients of the inputs named in `wrt`.
   */
  async backward(
    key: string,
    programs: PartPrograms,
    feeds: Params<TensorData>,
    o: {
      readonly store: WeightStore;
      readonly weights: readonly string[];
      readonly prefix?: string;
      readonly wrt: readonly string[];
    },
  ): Promise<Record<string, TensorData>> {
    const { prefix = "" } = o;
    const trained = trainedNames(o.weights, prefix, o.store.trainable);
    if (trained.length === 0 && o.wrt.length === 0) return {};
    const which = trained.length === o.weights.length ? "all" : trained.join();
    const session = await this.session(`${key}.backward.${which}`, () => programs(trained).backward, all);
    const results = await session.run(feeds);
    o.store.accumulate(Object.fromEntries(trained.map((name) => [prefix + name, results[`d.${name}`]!])));
    return Object.fromEntries(o.wrt.map((name) => [name, results[`d.${name}`]!]));
  }

  /**
   * Runs all blocks of a stack. With an `ActivationBudget`, every block's input is saved, and as many other activations
   * as fit.
   */
  async blocks(
    key: string,
    stack: Stack,
    values: Params<TensorData>,
    x: TensorData,
    feeds: BlockFeeds,
    keep: ActivationBudget | readonly number[],
  ): Promise<BlockStates> {
    const states: TensorData[] = new Array(stack.depth + 1);
    const kept: Params<TensorData>[] = new Array(stack.depth);
    const saving = "budget" in keep ? keep : null;
    let largest = 0;
    let y = x;
    for (let i = 0; i < stack.depth; i++) {
      if (!("includes" in keep) || keep.includes(i)) states[i] = y;
      const own = feeds(i);
      const before = y;
      const fed = { x: y, ...own, ...localWeights(stack, values, i) };
      const [kind, programs] = this.#blockPrograms(key, stack, own);
      if (saving === null || saving.budget.bytes < largest || saving.budget.bytes <= 0) {
        y = await this.forward(kind, programs, fed, stack.blockPrefix(i));
        if (states[i] === undefined) this.arrays.release([before]);
        continue;
      }
      const trained = trainedNames(stack.blockWeights, stack.blockPrefix(i), saving.trainable);
      const session = await this.session(
        `${kind}.saving.${trained.join()}`,
        () => programs(trained).saving.forward,
        all,
      );
      const { y: output, ...rest } = await session.run(fed);
      y = output!;
      kept[i] = rest;
      largest = Math.max(largest, bytesOf(rest));
      saving.budget.bytes -= bytesOf(rest);
    }
    states[stack.depth] = y;
    return { states, kept };
  }

  /**
   * Backward pass through all blocks, from the cotangents of blocks' outputs, including the last one's; returns saved
   * activations to the budget, and frees them and the inputs of the blocks. Returns the gradient of the first input; gradients of image features go to `onFeatures`.
   */
  async blocksBackward(
    key: string,
    stack: Stack,
    store: WeightStore,
    forward: BlockStates,
    cotangents: ReadonlyMap<number, TensorData>,
    feeds: BlockFeeds,
    o: { readonly budget: { bytes: number }; readonly onFeatures?: (gradient: TensorData) => Promise<void> },
  ): Promise<TensorData> {
    const { kept } = forward;
    let dy = cotangents.get(stack.depth - 1)!;
    for (let i = stack.depth - 1; i >= 0; i--) {
      const own = feeds(i);
      const fed = { x: forward.states[i]!, "d.y": dy, ...own, ...localWeights(stack, store.values, i), ...kept[i] };
      const wrt = kindOf(own).featured ? ["x", "features"] : ["x"];
      const [kind, programs] = this.#blockPrograms(key, stack, own);
      const which: PartPrograms = kept[i] === undefined ? programs : (trained) => programs(trained).saving;
      const name = kept[i] === undefined ? kind : `${kind}.kept`;
      const options = { store, weights: stack.blockWeights, prefix: stack.blockPrefix(i), wrt };
      const gradients = await this.backward(name, which, fed, options);
      if (kept[i] !== undefined) o.budget.bytes += bytesOf(kept[i]!);
      this.arrays.release([forward.states[i], dy, ...Object.values(kept[i] ?? {})]);
      delete kept[i];
      if (gradients["features"] !== undefined) await o.onFeatures?.(gradients["features"]);
      dy = gradients["x"]!;
      const added = cotangents.get(i - 1);
      if (added !== undefined) this.arrays.add([dy], [added]);
    }
    return dy;
  }

  /** Norms over all rows of the inputs of linear layers in what `work` runs forward, by weight: [in] each. */
  async inputNorms(work: () => Promise<unknown>): Promise<ReadonlyMap<string, Float32Array>> {
    this.#squares = new Map();
    try {
      await work();
      return new Map([...this.#squares].map(([name, sums]) => [name, Float32Array.from(sums, Math.sqrt)]));
    } finally {
      this.#squares = null;
    }
  }

  /** Runs a part and adds the squares of its layers' inputs. */
  async #measured(
    kind: string,
    programs: PartPrograms,
    feeds: Params<TensorData>,
    prefix: string,
    totals: Map<string, Float64Array>,
  ): Promise<TensorData> {
    const session = await this.session(
      `${kind}.squares`,
      () => withSquaredInputs(programs([]).forward),
      (output) => output === "y",
    );
    const { y, ...squares } = await session.run(feeds);
    for (const [key, { data }] of Object.entries(squares)) {
      const name = prefix + key.slice(SQUARES.length);
      const total = totals.get(name) ?? new Float64Array(data.length);
      for (let j = 0; j < data.length; j++) total[j]! += Number(data[j]!);
      totals.set(name, total);
    }
    return y!;
  }

  /** A block's programs, and the cache key of its kind. */
  #blockPrograms(
    key: string,
    stack: Stack,
    feeds: Params<TensorData>,
  ): [string, (trained: readonly string[]) => BlockPrograms] {
    const kind = kindOf(feeds);
    const names = Object.entries(kind).flatMap(([name, value]) => (value === true ? [name] : value || []));
    return [[key, ...names].join("."), (trained) => blockPrograms(this.model, stack, kind, trained)];
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).release();
    this.#sessions.clear();
  }
}

/** The trained weights of a part, by local names, in order. */
function trainedNames(weights: readonly string[], prefix: string, trainable: ReadonlySet<string>): string[] {
  return weights.filter((name) => trainable.has(prefix + name));
}

export function bytesOf(tensors: Params<TensorData>): number {
  return Object.values(tensors).reduce((total, tensor) => total + bytesOfShape(tensor), 0);
}

/** Which adapter mode these feeds belong to. */
export function adapterModeOf(feeds: Params<TensorData>): AdapterMode | null {
  const has = (suffix: string) => Object.keys(feeds).some((name) => name.endsWith(`.${suffix}`));
  return has(LORA_MASK) ? "masks" : has(LORA_SUM) ? "sums" : null;
}

function kindOf(feeds: Params<TensorData>): BlockKind {
  return {
    packed: feeds["placeOf"] !== undefined,
    windowed: feeds["windowIndex"] !== undefined,
    featured: feeds["level"] !== undefined,
    adapters: adapterModeOf(feeds),
  };
}

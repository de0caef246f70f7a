/**
 * A model with its adapters merged into its weights, W + s·B A, so that sampling many tokens from unchanging weights
 * needs one matmul per layer. The merged weights are computed on first use, and again after the adapters change.
 */
import { add, matmul, mul } from "../../compiler/ops/index.ts";
import { input, type Params, type Program } from "../../compiler/tensor.ts";
import { sizeOf, type TensorData } from "../../core/tensor-data.ts";
import { adaptedLayers } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { LORA_A, LORA_B, LORA_SCALING } from "../../nn/lora.ts";
import { weightGroups } from "./arrays/weight-groups.ts";
import type { Compute } from "./compute.ts";
import { allFusedWeights, contiguousAllocator } from "./fused-weights.ts";

/** Merged weights larger than this are not created: a large model keeps its adapters separate. */
const MAX_BYTES = 1e9;

/** Names of the weights that adapters are merged into, and of the weights fused with those. */
function mergedNames(model: Model, adapted: ReadonlySet<string>): string[] {
  const names = [...adapted].map((layer) => `${layer}.weight`);
  const known = new Set(names);
  const groups = [...allFusedWeights(model).values()].filter(({ parts }) => parts.some((part) => known.has(part)));
  return [...new Set([...names, ...groups.flatMap(({ parts }) => parts)])];
}

/** Bytes of the merged weights; 0 if there are no adapters, the base is quantised, or they would exceed the limit. */
export function mergedBytes(adapted: Model): number {
  const layers = new Set(adaptedLayers(Object.keys(adapted.weights)));
  const weights = mergedNames(adapted, layers).map((name) => adapted.weights[name]!);
  if (weights.some(({ quantized }) => quantized !== undefined)) return 0;
  const bytes = weights.reduce((total, { shape }) => total + 4 * sizeOf(shape), 0);
  return bytes > MAX_BYTES ? 0 : bytes;
}

/** Merged weights that stay where they are until `end`. */
export interface LentWeights {
  readonly values: Promise<Params<TensorData>>;
  end(): void;
}

/** The adapters as they were, merged. */
interface Merge {
  readonly values: Promise<Params<TensorData>>;
  /** What lies on a device beside the model's own weights. */
  readonly sums: TensorData[];
  lent: number;
}

export class MergedModel {
  /** Runs the base's programs. */
  readonly compute: Compute;
  #current: Merge | null = null;

  constructor(compute: Compute) {
    this.compute = compute;
  }

  /** The base's weights with the adapters among `values` merged, for whoever is done with them before `forget`. */
  values(values: Params<TensorData>): Promise<Params<TensorData>> {
    return this.#made(values).values;
  }

  /** The same for whoever goes on computing with them after it. */
  lend(values: Params<TensorData>): LentWeights {
    const merge = this.#made(values);
    merge.lent++;
    const end = () => {
      merge.lent--;
      this.#releaseUnused(merge);
    };
    return { values: merge.values, end };
  }

  /** The next to ask gets them merged anew, for another's need of memory or after the adapters changed. */
  forget(): void {
    const merge = this.#current;
    this.#current = null;
    if (merge !== null) this.#releaseUnused(merge);
  }

  #made(values: Params<TensorData>): Merge {
    if (this.#current !== null) return this.#current;
    const sums: TensorData[] = [];
    this.#current = { values: this.#merge(values, sums), sums, lent: 0 };
    return this.#current;
  }

  #releaseUnused(merge: Merge): void {
    if (merge === this.#current || merge.lent > 0) return;
    const release = () => this.compute.arrays.release(merge.sums);
    merge.values.then(release, release);
  }

  /** Adds to `sums` what a device holds for it. */
  async #merge(values: Params<TensorData>, sums: TensorData[]): Promise<Params<TensorData>> {
    const adapted = new Set(adaptedLayers(Object.keys(values)));
    const { arrays, model } = this.compute;
    const names = mergedNames(this.compute.model, adapted);
    if (arrays.memory === null) {
      const place = contiguousAllocator(model);
      const placed: Record<string, TensorData> = {};
      for (const name of names) {
        const isAdapted = adapted.has(layerOf(name));
        const sum = isAdapted ? (await this.#sums([name], values))[0]! : values[name]!;
        placed[name] = { ...sum, data: place(name, sum.data as Float32Array) };
      }
      return { ...values, ...placed };
    }
    const own = names.filter((name) => adapted.has(layerOf(name)));
    for (const group of weightGroups(own.map((name) => ({ name, weight: values[name]! })))) {
      const groupSums = await this.#sums(
        group.map(({ name }) => name),
        values,
      );
      sums.push(...groupSums);
    }
    return { ...values, ...Object.fromEntries(own.map((name, i) => [name, sums[i]!])) };
  }

  /** W + s·B A of these weights. */
  async #sums(names: readonly string[], values: Params<TensorData>): Promise<readonly TensorData[]> {
    const program = () => mergeProgram(names.length);
    const session = await this.compute.session(`merge.${names.length}`, program, () => true);
    const feeds = names.flatMap((name, i) => {
      const [layer, weight] = [layerOf(name), values[name]!];
      const [a, b, scale] = [LORA_A, LORA_B, LORA_SCALING].map((suffix) => values[`${layer}.${suffix}`]!);
      return Object.entries({ weight, a: a!, b: b!, scale: scale! }).map(([key, fed]) => [`${key}.${i}`, fed] as const);
    });
    const results = await session.run(Object.fromEntries(feeds));
    return names.map((_, i) => results[`y.${i}`]!);
  }
}

const layerOf = (weight: string) => weight.slice(0, -".weight".length);

/** Of so many layers, each of a size of its own. */
function mergeProgram(count: number): Program {
  const layers = Array.from({ length: count }, (_, i) => {
    const weight = input(`weight.${i}`, "float32", [`out.${i}`, `in.${i}`]);
    const a = input(`a.${i}`, "float32", [`rank.${i}`, `in.${i}`]);
    const b = input(`b.${i}`, "float32", [`out.${i}`, `rank.${i}`]);
    const scale = input(`scale.${i}`, "float32", []);
    return { inputs: [weight, a, b, scale], y: add(weight, matmul(mul(b, scale), a)) };
  });
  return {
    inputs: Object.fromEntries(layers.flatMap(({ inputs }) => inputs).map((t) => [t.attrs.name, t])),
    outputs: Object.fromEntries(layers.map(({ y }, i) => [`y.${i}`, y])),
  };
}

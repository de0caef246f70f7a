/**
 * A model whose adapters are added into its weights, W + s·B A: what draws many tokens from weights that stand still then
 * multiplies by each matrix once. The sums are made when they are first asked for, and again after the adapters moved.
 */
import { add, matmul, mul } from "../../compiler/ops/index.ts";
import { input, type Params, type Program } from "../../compiler/tensor.ts";
import { sizeOf, type TensorData } from "../../core/tensor-data.ts";
import { adaptedLayers } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { LORA_A, LORA_B, LORA_SCALING } from "../../nn/lora.ts";
import type { Compute } from "./compute.ts";

/** Sums larger than this are not made: a large model's adapters stay beside its weights. */
const MOST_BYTES = 1e9;

/** Bytes of the sums; 0 where there are none, or the base is integers, or they would take too much memory. */
export function mergedBytes(adapted: Model): number {
  const weights = adaptedLayers(Object.keys(adapted.weights)).map((layer) => adapted.weights[`${layer}.weight`]!);
  if (weights.some(({ quantized }) => quantized !== undefined)) return 0;
  const bytes = weights.reduce((total, { shape }) => total + 4 * sizeOf(shape), 0);
  return bytes > MOST_BYTES ? 0 : bytes;
}

export class MergedModel {
  /** Runs the base's programs. */
  readonly compute: Compute;
  #values: Promise<Params<TensorData>> | null = null;

  constructor(compute: Compute) {
    this.compute = compute;
  }

  /** The base's weights with the adapters among `values` added. */
  values(values: Params<TensorData>): Promise<Params<TensorData>> {
    this.#values ??= this.#merge(values);
    return this.#values;
  }

  /** The adapters have changed. */
  forget(): void {
    this.#values = null;
  }

  async #merge(values: Params<TensorData>): Promise<Params<TensorData>> {
    const session = await this.compute.session("merge", mergeProgram);
    const sums: Record<string, TensorData> = {};
    for (const layer of adaptedLayers(Object.keys(values))) {
      const { y } = await session.run({
        weight: values[`${layer}.weight`]!,
        a: values[`${layer}.${LORA_A}`]!,
        b: values[`${layer}.${LORA_B}`]!,
        scale: values[`${layer}.${LORA_SCALING}`]!,
      });
      sums[`${layer}.weight`] = y!;
    }
    return { ...values, ...sums };
  }
}

function mergeProgram(): Program {
  const weight = input("weight", "float32", ["out", "in"]);
  const a = input("a", "float32", ["rank", "in"]);
  const b = input("b", "float32", ["out", "rank"]);
  const scale = input("scale", "float32", []);
  return { inputs: { weight, a, b, scale }, outputs: { y: add(weight, matmul(mul(b, scale), a)) } };
}

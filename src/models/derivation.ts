/** Changes of a checkpoint's matrices that a deployment makes: rounding to integers, and pruning. */
import { QUANTIZED_BLOCK } from "../compiler/ops/quantized.ts";
import type { NamedTensor } from "../io/safetensors.ts";
import { gradientScores, keepLargest, keepLargestPerRow, randomScores, wandaScores } from "../nn/prune.ts";

/** What is done to every matrix of the linear layers inside the stacks; embeddings, head, norms and biases stay. */
export type Derivation =
  | {
      readonly kind: "quantize";
      readonly bits: 8 | 4;
      /** Search each block's scale for the least squared error, over 0.8 to 1 of the largest magnitude (ours). */
      readonly search?: boolean;
    }
  | {
      readonly kind: "prune";
      readonly method: PruneMethod;
      /** Share of elements set to 0. */
      readonly sparsity: number;
      /** What the method's scores need, by weight: norms of the layer's inputs [in], or gradients [out, in]. */
      readonly calibration?: ReadonlyMap<string, Float32Array>;
    };

/** Which elements are set to 0: those with the smallest scores. */
export const pruneMethods = {
  magnitude: { about: "the smallest of each tensor", calibrates: null },
  random: { about: "any, the control", calibrates: null },
  wanda: { about: "of each row, the smallest times the norm of their input", calibrates: "inputs" },
  gradient: { about: "of each row, the smallest times the loss's gradient", calibrates: "gradients" },
} as const;

export type PruneMethod = keyof typeof pruneMethods;

/** "int4", "int4 with searched scales", "30 % pruned by magnitude". */
export function derivationName(derivation: Derivation): string {
  if (derivation.kind === "quantize") return `int${derivation.bits}${derivation.search ? " with searched scales" : ""}`;
  return `${Math.round(100 * derivation.sparsity)} % pruned by ${derivation.method}`;
}

/** The tensor changed when it is read; float32 values that rounding or pruning leaves. */
export function derived(tensor: NamedTensor, derivation: Derivation): NamedTensor {
  return {
    name: tensor.name,
    shape: tensor.shape,
    get data() {
      const values = Float32Array.from(tensor.data);
      if (derivation.kind === "quantize") roundInBlocks(values, derivation);
      else {
        const mask = maskOf(values, tensor, derivation);
        for (let i = 0; i < values.length; i++) if (mask[i] === 0) values[i] = 0;
      }
      return values;
    },
  };
}

/** 1 for elements that stay: ranked within the tensor, or within each row of a matrix [out, in]. */
function maskOf(
  values: Float32Array,
  { name, shape }: Pick<NamedTensor, "name" | "shape">,
  { method, sparsity, calibration }: Extract<Derivation, { kind: "prune" }>,
): Uint8Array {
  const perRow = (scores: Float64Array) => keepLargestPerRow(scores, shape.at(-1)!, sparsity);
  const known = () => {
    const found = calibration?.get(name);
    if (found === undefined) throw new Error(`internal: pruning by ${method} was not calibrated for ${name}`);
    return found;
  };
  switch (method) {
    case "magnitude":
      return keepLargest(values.map(Math.abs), sparsity);
    case "random":
      return keepLargest(randomScores(values.length, 0, name), sparsity);
    case "wanda":
      return perRow(wandaScores(values, known()));
    case "gradient":
      return perRow(gradientScores(values, known()));
  }
}

/** Parts of the largest magnitude that a block's scale may map to the largest integer. */
const RATIOS = [1, 0.95, 0.9, 0.85, 0.8];

/** Rounds blocks of 32 elements to integers times a scale, as weights held in integers are (nn/quantize.ts). */
function roundInBlocks(
  values: Float32Array,
  { bits, search }: { readonly bits: 8 | 4; readonly search?: boolean },
): void {
  const most = 2 ** (bits - 1) - 1;
  for (let start = 0; start < values.length; start += QUANTIZED_BLOCK) {
    const block = values.subarray(start, start + QUANTIZED_BLOCK);
    const largest = block.reduce((sum, value) => Math.max(sum, Math.abs(value)), 0);
    if (largest === 0) continue;
    let best: Float32Array | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const ratio of search === true ? RATIOS : [1]) {
      const scale = Math.fround((ratio * largest) / most);
      const rounded = block.map((value) => scale * Math.max(-most, Math.min(most, Math.round(value / scale))));
      const error = rounded.reduce((sum, value, i) => sum + (value - block[i]!) ** 2, 0);
      if (error < least) [best, least] = [rounded, error];
    }
    block.set(best!);
  }
}

/** Low-rank adapters (LoRA, arXiv 2106.09685): y = W x + s·B(A x), with A [rank, in] and B [out, rank] as PEFT stores them. */
import { loraMatmul, matmul, mul } from "../compiler/ops/index.ts";
import type { Params, Tensor } from "../compiler/tensor.ts";

/** Suffixes of an adapter's two matrices, after the adapted layer's name. */
export const LORA_A = "lora_A.weight";
export const LORA_B = "lora_B.weight";
/**
 * Suffix of the dropout factors [rows, in] of an adapter's input, in programs with LoRA dropout; a feed, not a weight
 * of the model.
 */
export const LORA_MASK = "lora_mask";
/** Suffix of the merged weight W + s·B A, in programs that are fed it in place of W; not a weight of the model. */
export const LORA_SUM = "lora_sum";
/** Suffix of an adapter's scale s, a scalar that is never trained. */
export const LORA_SCALING = "lora_scaling";

/** What a layer's adapter adds to its output; null for a layer without one. */
export function loraUpdate(weights: Params<Tensor>, name: string, x: Tensor): Tensor | null {
  const a = weights[`${name}.${LORA_A}`];
  const b = weights[`${name}.${LORA_B}`];
  if (a === undefined || b === undefined) return null;
  const mask = weights[`${name}.${LORA_MASK}`];
  const inner = mul(
    matmul(mask === undefined ? x : mul(x, mask), a, { transposeB: true }),
    weights[`${name}.${LORA_SCALING}`]!,
  );
  return matmul(inner, b, { transposeB: true });
}

/** x (W + s·B A)ᵀ if the weights hold the merged weight, else null. */
export function mergedLoraMatmul(weights: Params<Tensor>, name: string, x: Tensor): Tensor | null {
  const sum = weights[`${name}.${LORA_SUM}`];
  if (sum === undefined) return null;
  const [a, b, scale] = [LORA_A, LORA_B, LORA_SCALING].map((suffix) => weights[`${name}.${suffix}`]!);
  return loraMatmul(x, sum, a!, b!, scale!);
}

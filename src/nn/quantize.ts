/**
 * Quantises frozen weights to 8 or 4 bits, block by block, in the layout of `dequantize` (compiler/ops/quantized.ts).
 */
import { QUANTIZED_BLOCK, type QuantizedBits } from "../compiler/ops/quantized.ts";

/** Packed rows of bytes, and a scale for each block. */
export interface QuantizedWeight {
  readonly packed: Uint8Array;
  readonly scales: Float32Array;
}

/**
 * Quantises `values` (rows of a multiple of 32 elements) symmetrically: a block's scale maps its largest magnitude to
 * 127 or 7, so that no element is off by more than half a scale.
 */
export function quantize(values: Float32Array, bits: QuantizedBits): QuantizedWeight {
  const blocks = values.length / QUANTIZED_BLOCK;
  if (!Number.isInteger(blocks))
    throw new Error(`quantize: ${values.length} elements are not a multiple of the block size 32`);
  const packed = new Uint8Array((values.length * bits) / 8);
  const scales = new Float32Array(blocks);
  const zero = 2 ** (bits - 1);
  for (let b = 0; b < blocks; b++) {
    const start = b * QUANTIZED_BLOCK;
    let most = 0;
    for (let i = start; i < start + QUANTIZED_BLOCK; i++) most = Math.max(most, Math.abs(values[i]!));
    scales[b] = most / (zero - 1);
    const inverse = scales[b] === 0 ? 0 : 1 / scales[b]!;
    for (let i = start; i < start + QUANTIZED_BLOCK; i++) {
      const q = zero + Math.round(values[i]! * inverse);
      if (bits === 8) packed[i] = q;
      else packed[i >> 1]! |= (i & 1) === 0 ? q : q << 4;
    }
  }
  return { packed, scales };
}

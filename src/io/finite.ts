/** Weights are numbers: a file that holds NaN or an infinity was broken when it was written, and nothing is computed with it. */
import { RunError } from "../core/errors.ts";

/** Returns the values; throws RunError naming tensor, file and place where one of them is not finite. */
export function requireFinite(values: Float32Array, tensor: string, file: string): Float32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    // All bits of the exponent set: an infinity, or NaN with whatever payload.
    if ((bits[i]! & 0x7f800000) !== 0x7f800000) continue;
    throw new RunError(
      `${file}: tensor "${tensor}" holds ${values[i]} (value ${i + 1} of ${values.length}): nothing can be computed with it, so take another copy or an earlier checkpoint`,
    );
  }
  return values;
}

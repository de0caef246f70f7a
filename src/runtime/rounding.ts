/**
 * For tests only: results as another processor might round them. Processors add in other orders, so the last bits of a
 * float32 result differ between them, and nothing that is promised may hang on those. With VIVA_ROUNDING_SEED set, every
 * float32 that comes back from ONNX Runtime is moved by at most a ten-millionth of itself.
 */
import { fold, randomKey } from "../core/random.ts";
import type { TensorData } from "../core/tensor-data.ts";

/** The largest relative move, about one unit in the last place. */
const RELATIVE = 1e-7;

/** Moves the numbers of a program's output in place. */
export type Rounding = (output: string, value: TensorData) => void;

/**
 * What VIVA_ROUNDING_SEED asks for, or null. A move depends on the seed, the output's name and size, the element's place
 * and its value, and on nothing that came before: the same computation gives the same bits, now or after a resume, while
 * the same numbers computed in another batch, row or packing get other moves.
 */
export function otherRounding(env: NodeJS.ProcessEnv = process.env): Rounding | null {
  const seed = env["VIVA_ROUNDING_SEED"];
  if (seed === undefined || seed === "") return null;
  if (!/^\d{1,9}$/.test(seed)) throw new Error(`VIVA_ROUNDING_SEED must be a whole number, got "${seed}"`);
  const key = randomKey(Number(seed), "rounding");
  return (output, { dtype, data }) => {
    if (dtype !== "float32") return;
    move(data as Float32Array, fold(fold(key, output), data.length).lo);
  };
}

/** Zeros and what is not finite stay as they are. */
function move(data: Float32Array, key: number): void {
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < data.length; i++) {
    // Two rounds of a multiplicative hash: src/core/random.ts is better, and too slow for every number of a run.
    let h = Math.imul(bits[i]! ^ Math.imul(i, 0x9e3779b1) ^ key, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    data[i]! *= 1 + (RELATIVE * (h ^ (h >>> 16))) / 0x80000000;
  }
}

/**
 * Loops over whole weights in WebAssembly with vectors of four float32, three times as fast as in JavaScript. Arrays
 * are copied through the module's memory in chunks that fit a core's cache.
 */
import {
  both,
  CONTINUE_IF,
  type Code,
  END,
  F32,
  F32X4_ADD,
  F32X4_DIV,
  F32X4_MUL,
  F32X4_SPLAT,
  F32X4_SQRT,
  F32X4_SUB,
  F64,
  F64_ADD,
  F64X2_ADD,
  F64X2_MUL,
  F64X2_PROMOTE,
  f64Lane,
  get,
  I32,
  I32_ADD,
  I32_CONST,
  I32_LESS,
  instantiate,
  LOOP,
  lastHalf,
  load,
  set,
  store,
  V128,
  type WasmFunction,
} from "./wasm.ts";

/** The scalars of one update, in the kernel's parameter order. */
export interface AdamWFactors {
  readonly gradientScale: number;
  readonly beta1: number;
  readonly oneLessBeta1: number;
  readonly beta2: number;
  readonly oneLessBeta2: number;
  /** 1 − learning rate x weight decay */
  readonly keep: number;
  /** learning rate / (1 − beta1^step) */
  readonly stepSize: number;
  /** 1 / √(1 − beta2^step) */
  readonly inverseCorrection: number;
  readonly epsilon: number;
}

export const adamWFactorNames = [
  ...(["gradientScale", "beta1", "oneLessBeta1", "beta2", "oneLessBeta2"] as const),
  ...(["keep", "stepSize", "inverseCorrection", "epsilon"] as const),
] as const satisfies readonly (keyof AdamWFactors)[];

/** Elements of each array in the module's memory: four arrays of 32 KiB. */
const CHUNK = 8192;
const CHUNK_BYTES = 4 * CHUNK;
const LANES = 4;

// Indices of AdamW's arrays in memory, and its number of scalars.
const [PARAMETER, GRADIENT, FIRST, SECOND] = [0, 1, 2, 3] as const;
const FACTORS = adamWFactorNames.length;

const [add, sub, mul, div] = [both(F32X4_ADD), both(F32X4_SUB), both(F32X4_MUL), both(F32X4_DIV)];
const [add64, mul64] = [both(F64X2_ADD), both(F64X2_MUL)];

/** The kernels, and the memory that arrays are copied through; the creator owns both. */
export interface VectorKernels {
  /** One in-place update of arrays of equal length; the gradient is not changed. */
  updateAdamW(
    arrays: readonly [parameter: Float32Array, gradient: Float32Array, first: Float32Array, second: Float32Array],
    f: AdamWFactors,
  ): void;
  /** Adds an array to another of equal length, in place. */
  addInPlace(total: Float32Array, added: Float32Array): void;
  /** The sum of all squares, in float64. */
  sumOfSquares(array: Float32Array): number;
}

/** Assembles the module with its own memory of 128 KiB. */
export function createVectorKernels(): VectorKernels {
  const { memory, functions } = instantiate([adamW(), plus(), squares()], 4 * CHUNK_BYTES);
  const slots = [0, 1, 2, 3].map((k) => new Float32Array(memory, k * CHUNK_BYTES, CHUNK));
  return {
    updateAdamW(arrays, f) {
      const factors = adamWFactorNames.map((name) => f[name]);
      inChunks(slots, arrays, [PARAMETER, FIRST, SECOND], (bytes) => functions["adamW"]!(bytes, ...factors));
    },
    addInPlace(total, added) {
      inChunks(slots, [total, added], [0], (bytes) => functions["plus"]!(bytes));
    },
    sumOfSquares(array) {
      let sum = 0;
      inChunks(slots, [array], [], (bytes) => {
        sum += functions["squares"]!(bytes);
      });
      return sum;
    },
  };
}

/** Runs a kernel over zero-padded chunks of the arrays and copies the changed ones back. */
function inChunks(
  slots: readonly Float32Array[],
  arrays: readonly Float32Array[],
  changed: readonly number[],
  kernel: (bytes: number) => void,
): void {
  const { length } = arrays[0]!;
  for (let start = 0; start < length; start += CHUNK) {
    const count = Math.min(CHUNK, length - start);
    const padded = LANES * Math.ceil(count / LANES);
    for (const [k, array] of arrays.entries()) {
      slots[k]!.set(array.subarray(start, start + count));
      slots[k]!.fill(0, count, padded);
    }
    kernel(padded * Float32Array.BYTES_PER_ELEMENT);
    for (const k of changed) arrays[k]!.set(slots[k]!.subarray(0, count), start);
  }
}

/** A loop over the bytes counted by parameter 0, 16 at a time, with the offset in a local. */
function loop(offset: number, body: Code): Code {
  return [
    ...LOOP,
    ...body,
    ...[...get(offset), ...I32_CONST, 16, ...I32_ADD, ...set(offset)],
    ...[...get(offset), ...get(0), ...I32_LESS, ...CONTINUE_IF],
    ...END,
  ];
}

/** Parameters: bytes of each array, a multiple of 16, then the scalars. */
function adamW(): WasmFunction {
  const offset = FACTORS + 1; // locals: the offset, the factors as vectors, three results
  const [scale, beta1, oneLessBeta1, beta2, oneLessBeta2, keep, stepSize, inverseCorrection, epsilon] = Array.from(
    { length: FACTORS },
    (_, i) => get(offset + 1 + i),
  ) as [number[], number[], number[], number[], number[], number[], number[], number[], number[]];
  const [g, m, v] = [1, 2, 3].map((i) => offset + FACTORS + i) as [number, number, number];
  const own = (array: number) => load(get(offset), array * CHUNK_BYTES);
  const keepAs = (array: number, value: Code) => store(get(offset), array * CHUNK_BYTES, value);
  const denominator = add(mul([...get(v), ...F32X4_SQRT], inverseCorrection), epsilon);
  const moved = sub(mul(own(PARAMETER), keep), div(mul(get(m), stepSize), denominator));
  const code = [
    ...Array.from({ length: FACTORS }, (_, i) => [...get(1 + i), ...F32X4_SPLAT, ...set(offset + 1 + i)]).flat(),
    ...loop(offset, [
      ...mul(own(GRADIENT), scale),
      ...set(g),
      ...add(mul(own(FIRST), beta1), mul(get(g), oneLessBeta1)),
      ...set(m),
      ...add(mul(own(SECOND), beta2), mul(mul(get(g), get(g)), oneLessBeta2)),
      ...set(v),
      ...keepAs(FIRST, get(m)),
      ...keepAs(SECOND, get(v)),
      ...keepAs(PARAMETER, moved),
    ]),
  ];
  const locals = [[1, I32] as const, [FACTORS + 3, V128] as const];
  return { name: "adamW", parameters: [I32, ...new Array<number>(FACTORS).fill(F32)], results: [], locals, code };
}

/** Parameter: bytes of each of two arrays; the first becomes their sum. */
function plus(): WasmFunction {
  const offset = 1;
  const [total, added] = [load(get(offset), 0), load(get(offset), CHUNK_BYTES)];
  const code = loop(offset, store(get(offset), 0, add(total, added)));
  return { name: "plus", parameters: [I32], results: [], locals: [[1, I32]], code };
}

/** Parameter: bytes of an array. Returns its sum of squares. */
function squares(): WasmFunction {
  const [offset, four, low, high, firstSum, lastSum] = [1, 2, 3, 4, 5, 6] as const;
  const code = [
    ...loop(offset, [
      ...[...load(get(offset), 0), ...set(four)],
      ...[...get(four), ...F64X2_PROMOTE, ...set(low)],
      ...[...lastHalf(get(four)), ...F64X2_PROMOTE, ...set(high)],
      ...[...add64(get(firstSum), mul64(get(low), get(low))), ...set(firstSum)],
      ...[...add64(get(lastSum), mul64(get(high), get(high))), ...set(lastSum)],
    ]),
    ...[...add64(get(firstSum), get(lastSum)), ...set(firstSum)],
    ...both(F64_ADD)(f64Lane(get(firstSum), 0), f64Lane(get(firstSum), 1)),
  ];
  const locals = [[1, I32] as const, [5, V128] as const];
  return { name: "squares", parameters: [I32], results: [F64], locals, code };
}

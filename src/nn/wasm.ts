/**
 * Assembles a WebAssembly module of functions over 128-bit vectors, instruction by instruction (core specification
 * 2.0).
 */

/** Declarations missing from TypeScript's library for Node. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module);
    readonly exports: unknown;
  }
}

/** Instructions, as bytes. */
export type Code = readonly number[];

/** An exported function; locals are numbered after its parameters. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  /** Runs of locals of one type. */
  readonly locals: readonly (readonly [count: number, type: number])[];
  readonly code: Code;
}

// Value types and opcodes: section 5.3 and 5.4.
export const I32 = 0x7f;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const LOOP = [0x03, 0x40];
export const CONTINUE_IF = [0x0d, 0];
export const END = [0x0b];
export const I32_CONST = [0x41];
export const I32_ADD = [0x6a];
export const I32_LESS = [0x48];
export const F64_ADD = [0xa0];
const ALIGN_16 = [4];
export const F32X4_SPLAT = vector(0x13);
export const F32X4_SQRT = vector(0xe3);
export const F32X4_ADD = vector(0xe4);
export const F32X4_SUB = vector(0xe5);
export const F32X4_MUL = vector(0xe6);
export const F32X4_DIV = vector(0xe7);
export const F64X2_ADD = vector(0xf0);
export const F64X2_MUL = vector(0xf2);
/** The first two of four float32 as float64. */
export const F64X2_PROMOTE = vector(0x5f);

function vector(opcode: number): number[] {
  return [0xfd, ...unsigned(opcode)];
}

/** A binary operation. */
export const both = (operation: Code) => (a: Code, b: Code) => [...a, ...b, ...operation];

export const get = (local: number) => [0x20, ...unsigned(local)];
export const set = (local: number) => [0x21, ...unsigned(local)];

/** Loads the vector at an address (a local) plus a constant offset; their sum is a multiple of 16. */
export const load = (address: Code, offset: number) => [...address, ...vector(0x00), ...ALIGN_16, ...unsigned(offset)];
export const store = (address: Code, offset: number, value: Code) => {
  return [...address, ...value, ...vector(0x0b), ...ALIGN_16, ...unsigned(offset)];
};
/** Moves the last two of four float32 to the first two lanes. */
export const lastHalf = (a: Code) => {
  const bytes = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
  return [...a, ...a, ...vector(0x0d), ...bytes];
};
export const f64Lane = (a: Code, lane: number) => [...a, ...vector(0x21), lane];

const PAGE_BYTES = 65_536;

/** The module's functions by name, and its memory of `bytes` bytes. */
export function instantiate(functions: readonly WasmFunction[], bytes: number) {
  const types = functions.map(({ parameters, results }) => [
    0x60,
    ...list(singles(parameters)),
    ...list(singles(results)),
  ]);
  const bodies = functions.map(({ locals, code }) => [...list(locals), ...code, ...END]);
  const binary = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, list(types)),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(5, list([[0, ...unsigned(Math.ceil(bytes / PAGE_BYTES))]])),
    ...section(
      7,
      list([...functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)]), [...text("memory"), 2, 0]]),
    ),
    ...section(10, list(bodies.map((body) => [...unsigned(body.length), ...body]))),
  ]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
  const { memory, ...named } = exports as { readonly memory: { readonly buffer: ArrayBuffer } };
  return { memory: memory.buffer, functions: named as Readonly<Record<string, (...numbers: number[]) => number>> };
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

const singles = (bytes: readonly number[]) => bytes.map((byte) => [byte]);

function list(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...unsigned(body.length), ...body];
}

function text(ascii: string): number[] {
  return list([...ascii].map((letter) => [letter.charCodeAt(0)]));
}

/**
 * Counter-based random numbers: a value depends only on its key and counter, never on earlier draws, so results do not
 * depend on batching or order, and a resumed run draws what an uninterrupted one would have.
 */

/** A 64-bit key as two unsigned 32-bit halves. */
export interface RandomKey {
  readonly hi: number;
  readonly lo: number;
}

/** Makes a key from a seed and any path of numbers and names, e.g. `randomKey(7, "shuffle", epoch)`. */
export function randomKey(seed: number, ...path: readonly (number | string)[]): RandomKey {
  let key = mix({ hi: 0x9e3779b9, lo: 0x7f4a7c15 }, seed);
  for (const part of path) key = fold(key, part);
  return key;
}

/** Derives a key from a key and one more number or name. */
export function fold(key: RandomKey, part: number | string): RandomKey {
  if (typeof part === "number") return mix(key, part);
  let next = mix(key, part.length);
  for (let i = 0; i < part.length; i++) next = mix(next, part.charCodeAt(i));
  return next;
}

/** Unsigned 32-bit value at position `counter` of the key's stream. */
export function uint32(key: RandomKey, counter: number): number {
  return mix(key, counter).hi;
}

/** Uniform in [0, 1) with 23 bits, so that it is exact in float32. */
export function uniform(key: RandomKey, counter: number): number {
  return (uint32(key, counter) >>> 9) / 0x800000;
}

/** Standard normal value (Box-Muller) at position `counter`. */
export function normal(key: RandomKey, counter: number): number {
  const a = (uint32(key, 2 * counter) + 1) / 0x100000000;
  const b = uint32(key, 2 * counter + 1) / 0x100000000;
  return Math.sqrt(-2 * Math.log(a)) * Math.cos(2 * Math.PI * b);
}

/** Integer in [0, below). */
export function integer(key: RandomKey, counter: number, below: number): number {
  return Math.floor((uint32(key, counter) / 0x100000000) * below);
}

/** A permutation of 0..n-1 (Fisher-Yates). */
export function permutation(key: RandomKey, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = integer(key, i, i + 1);
    const swap = order[i]!;
    order[i] = order[j]!;
    order[j] = swap;
  }
  return order;
}

/** One of the items, at position `counter` of the key's stream. */
export function pick<T>(key: RandomKey, counter: number, items: readonly T[]): T {
  return items[integer(key, counter, items.length)]!;
}

/** Absorbs a 53-bit integer into the key by two rounds of the murmur3 finaliser on each half, crosswise. */
function mix(key: RandomKey, value: number): RandomKey {
  const low = value >>> 0;
  const high = Math.floor(value / 0x100000000) >>> 0;
  const a = finalise((key.lo ^ low) + 0x9e3779b9);
  const b = finalise((key.hi ^ high ^ a) + 0x85ebca6b);
  const c = finalise((a ^ b) + 0xc2b2ae35);
  return { hi: finalise(b ^ c), lo: c };
}

function finalise(x: number): number {
  let h = x >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

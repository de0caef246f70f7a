/** Arrays inside the messages' bytes: little-endian, wherever the bytes lie. */
import { UserError } from "../core/errors.ts";

/** The bytes of an array of numbers. */
export function bytesOf(array: Float32Array | Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Throws UserError where the bytes are no whole number of values; `what` names them. */
export function float32From(bytes: Uint8Array, what: string): Float32Array {
  return new Float32Array(aligned(bytes, 4, what));
}

export function int32From(bytes: Uint8Array, what: string): Int32Array {
  return new Int32Array(aligned(bytes, 4, what));
}

/** 64-bit integers, which must fit into 32 bits: token ids do. */
export function int32FromInt64(bytes: Uint8Array, what: string): Int32Array {
  const long = new BigInt64Array(aligned(bytes, 8, what));
  return Int32Array.from(long, (value) => {
    const short = Number(BigInt.asIntN(32, value));
    if (BigInt(short) === value) return short;
    throw new UserError(`${what}: ${value} is no token id`);
  });
}

export function int64From(values: ArrayLike<number>): Uint8Array {
  return bytesOf(BigInt64Array.from({ length: values.length }, (_, i) => BigInt(values[i]!)));
}

/** Numbers of a repeated int64 field, which the library gives as numbers or as objects. */
export function numbersOf(values: readonly unknown[] | undefined): readonly number[] {
  return (values ?? []).map(Number);
}

function aligned(bytes: Uint8Array, size: number, what: string): ArrayBuffer {
  if (bytes.length % size === 0) return new Uint8Array(bytes).buffer;
  throw new UserError(`${what}: ${bytes.length} bytes are no whole number of values of ${size} bytes`);
}

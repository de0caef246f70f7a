/** bfloat16 and IEEE half precision as 16-bit words, to and from float32: rounding is to nearest, ties to even. */

/** Widens bfloat16 words exactly; NaN payloads are kept. Fills `out` when given (same length). */
export function bfloat16ToFloat32(words: Uint16Array, out = new Float32Array(words.length)): Float32Array {
  const bits = bitsOf(out);
  for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16;
  return out;
}

/** Rounds to bfloat16; values beyond its largest become infinite, NaN stays NaN. */
export function float32ToBfloat16(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const bits = bitsOf(values);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    // Rounding up could carry a NaN's payload away, so the quiet bit is set instead.
    out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** Widens half-precision words exactly, subnormals included. Fills `out` when given (same length). */
export function float16ToFloat32(words: Uint16Array, out = new Float32Array(words.length)): Float32Array {
  const bits = bitsOf(out);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const sign = (word & 0x8000) << 16;
    const exponent = word & 0x7c00;
    const fraction = word & 0x3ff;
    if (exponent === 0) {
      out[i] = fraction * 2 ** -24;
      bits[i] = bits[i]! | sign;
    } else if (exponent === 0x7c00) {
      bits[i] = sign | 0x7f800000 | (fraction << 13);
    } else {
      bits[i] = sign | (((word & 0x7fff) << 13) + ((127 - 15) << 23));
    }
  }
  return out;
}

/** Rounds to half precision: subnormals are kept, values that round beyond 65504 become infinite, NaN stays NaN. */
export function float32ToFloat16(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const bits = bitsOf(values);
  const sum = new Float32Array(1);
  const sumBits = bitsOf(sum);
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff;
    const sign = (bits[i]! >>> 16) & 0x8000;
    if (magnitude > 0x7f800000) {
      out[i] = sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
    } else if (magnitude >= 0x47800000) {
      out[i] = sign | 0x7c00; // 65536 and more
    } else if (magnitude < 0x38800000) {
      // Below 2^-14: added to 0.5, the last place of a float32 is a half-precision subnormal's, so the addition rounds.
      sum[0] = Math.abs(values[i]!) + 0.5;
      out[i] = sign | (sumBits[0]! - 0x3f000000);
    } else {
      out[i] = sign | ((magnitude + ((15 - 127) << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
  return out;
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

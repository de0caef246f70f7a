import { describe, expect, it } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";

const all = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The format's definition in float64: `exponentBits` and `fractionBits` of a 16-bit word. */
function define(word: number, exponentBits: number, fractionBits: number): number {
  const sign = word >>> 15 ? -1 : 1;
  const exponent = (word >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (word & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

const formats = [
  { name: "bfloat16", widen: bfloat16ToFloat32, narrow: float32ToBfloat16, bits: [8, 7], infinity: 0x7f80 },
  { name: "float16", widen: float16ToFloat32, narrow: float32ToFloat16, bits: [5, 10], infinity: 0x7c00 },
] as const;

describe.each(formats)("$name", ({ widen, narrow, bits, infinity }) => {
  it("widens every word to what the format defines", () => {
    const values = widen(all);
    const wrong = [...all].filter((word) => !Object.is(values[word], define(word, bits[0], bits[1])));
    expect(wrong).toEqual([]);
  });

  it("gives every word back, NaN as NaN", () => {
    const words = narrow(widen(all));
    const wrong = [...all].filter((word) =>
      (word & 0x7fff) > infinity ? (words[word]! & 0x7fff) <= infinity : words[word] !== word,
    );
    expect(wrong).toEqual([]);
  });

  it("rounds to nearest: a tie goes to the even word, a little beyond it to the nearer", () => {
    const values = widen(all);
    const ties: number[] = [];
    const expected: number[] = [];
    for (let word = 0; word + 1 < infinity; word++) {
      const tie = (values[word]! + values[word + 1]!) / 2;
      const [below, above] = [nextFloat(tie, -1), nextFloat(tie, 1)];
      ties.push(tie, below, above, -tie);
      expected.push(word + (word & 1), word, word + 1, (word + (word & 1)) | 0x8000);
    }
    expect(narrow(Float32Array.from(ties))).toEqual(Uint16Array.from(expected));
  });

  it("overflows to infinity from half a step beyond the largest value", () => {
    const largest = widen(Uint16Array.of(infinity - 1))[0]!;
    const halfStep = (largest - widen(Uint16Array.of(infinity - 2))[0]!) / 2;
    const values = Float32Array.of(largest, nextFloat(largest + halfStep, -1), largest + halfStep, -largest - halfStep);
    expect(narrow(values)).toEqual(Uint16Array.of(infinity - 1, infinity - 1, infinity, infinity | 0x8000));
    expect(narrow(Float32Array.of(Infinity, -Infinity, 0, -0))).toEqual(
      Uint16Array.of(infinity, infinity | 0x8000, 0, 0x8000),
    );
  });

  it("rounds the smallest float32 values to zero with their sign", () => {
    const tiny = Float32Array.of(2 ** -149, -(2 ** -149));
    expect(narrow(tiny)).toEqual(Uint16Array.of(0, 0x8000));
  });

  it("works on views and into a given array", () => {
    const out = new Float32Array(4);
    widen(narrow(Float32Array.of(9, 1.5, -2, 9).subarray(1, 3)), out.subarray(1, 3));
    expect(out).toEqual(Float32Array.of(0, 1.5, -2, 0));
  });
});

/** The neighbouring float32 value. */
function nextFloat(value: number, direction: 1 | -1): number {
  const values = Float32Array.of(value);
  const words = new Uint32Array(values.buffer);
  words[0] = words[0]! + (value >= 0 ? direction : -direction);
  return values[0]!;
}

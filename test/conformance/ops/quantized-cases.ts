/** Conformance cases of dequantize and quantizedMatmul. */
import { dequantize, quantizedMatmul } from "../../../src/compiler/ops/index.ts";
import { bytes, type Case, floats, listed } from "./case.ts";

/**
 * Activations that int8 represents exactly: every block of 32 has the maximum magnitude 127, so that its scale is 1.
 */
const exact = [127, -3, 50, 0, -127, 1, 99, -64];

export const quantizedCases = {
  dequantize: ([8, 4] as const).flatMap((bits): Case[] => [
    {
      name: `${bits} bits`,
      inputs: [bytes([3, (64 * bits) / 8]), floats([3, 2])],
      build: (packed, scales) => dequantize(packed, scales, bits),
    },
    {
      name: `${bits} bits, rows looked up`,
      inputs: [bytes(["n", 2, (32 * bits) / 8]), floats(["n", 2, 1])],
      build: (packed, scales) => dequantize(packed, scales, bits),
      sizes: [{ n: 2 }, { n: 1 }, { n: 0 }],
    },
  ]),
  quantizedMatmul: ([8, 4] as const).map(
    (bits): Case => ({
      name: `${bits} bits`,
      inputs: [listed(["n", 64], exact), bytes([5, (64 * bits) / 8]), floats([5, 2])],
      build: (x, packed, scales) => quantizedMatmul(x, packed, scales, bits),
      sizes: [{ n: 1 }, { n: 3 }, { n: 40 }],
    }),
  ),
} satisfies Record<string, readonly Case[]>;

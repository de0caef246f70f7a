/** Conformance cases of RMSNorm and rotary embeddings, each of which runs as one kernel. */
import { applyRotary, rmsNorm } from "../../../src/compiler/ops/index.ts";
import type { Dim } from "../../../src/compiler/spec.ts";
import type { Tensor } from "../../../src/compiler/tensor.ts";
import { floats, listed } from "./case.ts";

const normed =
  (epsilon: number) =>
  (x: Tensor, weight: Tensor): Tensor =>
    rmsNorm(x, weight, epsilon);

/** The tensor to rotate and its tables: arbitrary values, since nothing depends on their being cosines and sines. */
const turned = (rows: Dim, tokens: Dim, heads: number, headDim: number) => [
  floats([rows, tokens, heads, headDim]),
  floats([rows, tokens, headDim / 2]),
  floats([rows, tokens, headDim / 2]),
];

export const fusedCases = {
  rmsNorm: [
    { name: "rows", inputs: [floats([3, 5]), floats([5])], build: normed(1e-6) },
    { name: "a large epsilon", inputs: [floats([2, 4]), floats([4])], build: normed(0.5) },
    { name: "a row of zeros", inputs: [listed([2, 3], [0, 0, 0, 1, 2, 3]), floats([3])], build: normed(0.1) },
    { name: "one number a row", inputs: [floats([4, 1]), floats([1])], build: normed(1e-5) },
    { name: "heads of tokens", inputs: [floats([1, 2, 3, 4]), floats([4])], build: normed(1e-6) },
    {
      name: "named sizes",
      inputs: [floats(["rows", 6]), floats([6])],
      build: normed(1e-6),
      sizes: [{ rows: 1 }, { rows: 7 }],
    },
  ],
  applyRotary: [
    { name: "one token", inputs: turned(1, 1, 1, 2), build: applyRotary },
    { name: "rows, tokens and heads", inputs: turned(2, 3, 2, 4), build: applyRotary },
    { name: "half sizes of 3", inputs: turned(1, 2, 3, 6), build: applyRotary },
    {
      name: "named sizes",
      inputs: turned("rows", "tokens", 2, 8),
      build: applyRotary,
      sizes: [
        { rows: 1, tokens: 5 },
        { rows: 3, tokens: 1 },
      ],
    },
  ],
};

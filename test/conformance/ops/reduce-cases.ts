/** Conformance cases of sums and of operations along the last axis. */
import { argmax, cumulativeSum, logSoftmax, max, softmax, sum, topK } from "../../../src/compiler/ops/index.ts";
import type { Tensor } from "../../../src/compiler/tensor.ts";
import { type Case, floats, integers, listed, vector } from "./case.ts";

const LARGE = [1e4, -1e4, 0, 1e4, 9999, 1, -5, 3, 1e4];

const rowsAndTokens = [
  { rows: 2, tokens: 3 },
  { rows: 3, tokens: 1 },
  { rows: 0, tokens: 2 },
];

const normalising = (build: (x: Tensor) => Tensor): Case[] => [
  { name: "rank 1", inputs: [floats([5])], build },
  { name: "rank 3", inputs: [floats([2, 3, 4], 3)], build },
  { name: "size 1", inputs: [floats([3, 1])], build },
  { name: "equal logits", inputs: [listed([2, 3], [2, 2, 2, 0, 0, 0])], build },
  { name: "logits of 1e4", inputs: [listed([3, 3], LARGE)], build },
  {
    name: "masked logits, in the second row all",
    inputs: [listed([2, 3], [1, -1e30, 2, -1e30, -1e30, -1e30])],
    build,
    gradient: (g) => {
      const p = [1 / (1 + Math.E), 0, Math.E / (1 + Math.E), 1 / 3, 1 / 3, 1 / 3];
      const perRow = (term: (i: number) => number) => [0, 3].map((r) => term(r) + term(r + 1) + term(r + 2));
      const mean = perRow((i) => g[i]! * p[i]!);
      const total = perRow((i) => g[i]!);
      const row = (i: number) => Math.floor(i / 3);
      return [
        g.map((value, i) => (build === softmax ? p[i]! * (value - mean[row(i)]!) : value - p[i]! * total[row(i)]!)),
      ];
    },
  },
  { name: "no rows", inputs: [floats([0, 3])], build },
  { name: "named rows", inputs: [floats(["rows", 3])], build, sizes: [{ rows: 2 }, { rows: 4 }, { rows: 0 }] },
  {
    name: "named last axis",
    inputs: [floats(["rows", "tokens"])],
    build,
    sizes: [...rowsAndTokens, { rows: 2, tokens: 0 }],
  },
];

export const reduceCases = {
  sum: [
    { name: "all axes", inputs: [floats([2, 3, 4])], build: (x) => sum(x) },
    { name: "first axis", inputs: [floats([2, 3, 4])], build: (x) => sum(x, [0]) },
    { name: "middle axis, kept", inputs: [floats([2, 3, 4])], build: (x) => sum(x, [1], true) },
    { name: "last axis", inputs: [floats([2, 3, 4])], build: (x) => sum(x, [2]) },
    { name: "two axes out of order", inputs: [floats([2, 3, 4])], build: (x) => sum(x, [2, 0]) },
    { name: "all axes, kept", inputs: [floats([2, 3])], build: (x) => sum(x, [0, 1], true) },
    { name: "size-1 axis", inputs: [floats([2, 1])], build: (x) => sum(x, [1]) },
    { name: "zeros, negative and large", inputs: [vector(0, -1e4, 3e4, -5)], build: (x) => sum(x) },
    { name: "no elements summed", inputs: [floats([2, 0])], build: (x) => sum(x, [1]) },
    { name: "no elements left", inputs: [floats([2, 0])], build: (x) => sum(x, [0]) },
    { name: "integers", inputs: [integers([3, 4])], build: (x) => sum(x, [1]) },
    {
      name: "over a named axis",
      inputs: [floats(["rows", "tokens", 2])],
      build: (x) => sum(x, [1]),
      sizes: [...rowsAndTokens, { rows: 2, tokens: 0 }],
    },
    {
      name: "over all, named",
      inputs: [floats(["rows", "tokens"])],
      build: (x) => sum(x),
      sizes: [...rowsAndTokens, { rows: 2, tokens: 0 }],
    },
  ],
  softmax: normalising(softmax),
  logSoftmax: normalising(logSoftmax),
  cumulativeSum: [
    { name: "rank 1", inputs: [vector(1, -2, 0, 5)], build: cumulativeSum },
    { name: "rank 3", inputs: [floats([2, 3, 4])], build: cumulativeSum },
    { name: "integers", inputs: [integers([3, 5])], build: cumulativeSum },
    { name: "no elements", inputs: [floats([2, 0])], build: cumulativeSum },
    {
      name: "named sizes",
      inputs: [floats(["rows", "tokens"])],
      build: cumulativeSum,
      sizes: [...rowsAndTokens, { rows: 2, tokens: 0 }],
    },
  ],
  max: [
    { name: "rank 1", inputs: [floats([5])], build: max },
    { name: "rank 3", inputs: [floats([2, 3, 4])], build: max },
    { name: "negative and large", inputs: [listed([2, 3], [-3, -1, -2, -1e4, 1e4, 0])], build: max },
    {
      name: "infinities",
      inputs: [listed([2, 2], [Number.NEGATIVE_INFINITY, 3, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])],
      build: max,
      gradient: (g) => [[0, g[0]!, g[1]!, g[1]!]],
    },
    { name: "size 1", inputs: [floats([3, 1])], build: max },
    {
      name: "every tied maximum receives the gradient",
      inputs: [listed([2, 3], [1, 3, 3, 0, 0, 0])],
      build: max,
      gradient: (g) => [[0, g[0]!, g[0]!, g[1]!, g[1]!, g[1]!]],
    },
    { name: "integers", inputs: [integers([2, 5])], build: max },
    { name: "no rows", inputs: [floats([0, 3])], build: max },
    {
      name: "of nothing: minus infinity",
      inputs: [floats([2, 0])],
      build: max,
    },
    {
      name: "named sizes",
      inputs: [floats(["rows", "tokens"])],
      build: max,
      sizes: [...rowsAndTokens, { rows: 2, tokens: 0 }],
    },
  ],
  topK: [
    { name: "rank 1", inputs: [floats([6])], build: (x) => topK(x, 2) },
    { name: "rank 3", inputs: [floats([2, 3, 4])], build: (x) => topK(x, 3) },
    { name: "all of them", inputs: [floats([2, 4])], build: (x) => topK(x, 4) },
    { name: "ties", inputs: [listed([2, 4], [1, 3, 3, 2, 0, 0, 0, -1])], build: (x) => topK(x, 3) },
    { name: "integers", inputs: [integers([3, 5])], build: (x) => topK(x, 2) },
    {
      name: "named rows",
      inputs: [floats(["rows", 4])],
      build: (x) => topK(x, 2),
      sizes: [{ rows: 2 }, { rows: 3 }],
    },
    {
      name: "no rows",
      inputs: [floats([0, 4])],
      build: (x) => topK(x, 2),
      untried: "TopK divides by the number of rows: the process dies",
    },
  ],
  argmax: [
    { name: "rank 1", inputs: [floats([5])], build: argmax },
    { name: "rank 3", inputs: [floats([2, 3, 4])], build: argmax },
    { name: "ties: the first", inputs: [listed([3, 3], [1, 3, 3, 0, 0, 0, 2, 1, 2])], build: argmax },
    { name: "negative and large", inputs: [listed([2, 3], [-3, -1, -2, -1e30, 1e30, 0])], build: argmax },
    { name: "integers", inputs: [integers([3, 5])], build: argmax },
    {
      name: "no rows",
      inputs: [floats([0, 3])],
      build: argmax,
      refused: /expected \[ \+?0, 3 \] to deeply equal \[ \+?0 \]/,
    },
    { name: "named sizes", inputs: [floats(["rows", "tokens"])], build: argmax, sizes: rowsAndTokens.slice(0, 2) },
    { name: "a vocabulary", inputs: [floats([2, 150_000])], build: argmax },
  ],
} satisfies Record<string, readonly Case[]>;

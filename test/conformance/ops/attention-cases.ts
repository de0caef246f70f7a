/** Conformance cases of cached attention: its output and both caches, for prompts and for single tokens. */
import { type CachedAttention, cachedAttention } from "../../../src/compiler/ops/index.ts";
import type { Dim, Sizes, Tensor } from "../../../src/compiler/tensor.ts";
import { type Case, type CaseInput, floats, listed } from "./case.ts";

interface Setup {
  readonly name: string;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly rows: Dim;
  readonly tokens: number;
  readonly capacity: Dim;
  /** Position of the newest token of each row. */
  readonly lastPosition: readonly number[];
  readonly sizes?: readonly Sizes[];
}

const setups: readonly Setup[] = [
  { name: "prompt", heads: 2, keyValueHeads: 2, headDim: 8, rows: 2, tokens: 3, capacity: 5, lastPosition: [2, 2] },
  {
    name: "prompt that fills the cache",
    heads: 2,
    keyValueHeads: 1,
    headDim: 8,
    rows: 1,
    tokens: 4,
    capacity: 4,
    lastPosition: [3],
  },
  {
    name: "prompt, grouped heads",
    heads: 6,
    keyValueHeads: 2,
    headDim: 16,
    rows: 2,
    tokens: 3,
    capacity: 4,
    lastPosition: [2, 2],
  },
  {
    name: "prompt of one token",
    heads: 2,
    keyValueHeads: 1,
    headDim: 8,
    rows: 2,
    tokens: 1,
    capacity: 3,
    lastPosition: [0, 0],
  },
  {
    name: "one token, equal rows",
    heads: 2,
    keyValueHeads: 2,
    headDim: 8,
    rows: 2,
    tokens: 1,
    capacity: 5,
    lastPosition: [3, 3],
  },
  {
    name: "one token, rows of different lengths",
    heads: 4,
    keyValueHeads: 2,
    headDim: 8,
    rows: 4,
    tokens: 1,
    capacity: 6,
    lastPosition: [0, 4, 2, 5],
  },
  {
    name: "prompt, named rows and capacity",
    heads: 2,
    keyValueHeads: 1,
    headDim: 8,
    rows: "rows",
    tokens: 3,
    capacity: "capacity",
    lastPosition: [2],
    sizes: [
      { rows: 2, capacity: 4 },
      { rows: 1, capacity: 7 },
    ],
  },
];

/** A cache filled as far as each row's earlier tokens reach; what lies beyond ONNX Runtime clears in a new array. */
function pastOf({ rows, keyValueHeads, capacity, headDim, tokens, lastPosition }: Setup): CaseInput {
  const filler = floats([rows, keyValueHeads, capacity, headDim]);
  if (typeof capacity === "string") return { ...filler, value: () => 0 };
  return {
    ...filler,
    value: (i, seed) => {
      const row = Math.floor(i / (keyValueHeads * capacity * headDim));
      const position = Math.floor(i / headDim) % capacity;
      return position <= lastPosition[row]! - tokens ? filler.value(i, seed) : 0;
    },
  };
}

const build =
  (s: Setup, output: keyof CachedAttention) =>
  (...t: Tensor[]): Tensor => {
    const [query, key, value, pastKeys, pastValues, lastPosition, length] = t as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    return cachedAttention({ query, key, value, pastKeys, pastValues, lastPosition, length }, s)[output];
  };

const casesOf = (output: keyof CachedAttention): Case[] =>
  setups.map((s) => {
    const past = pastOf(s);
    const added = floats([s.rows, s.tokens, s.keyValueHeads * s.headDim]);
    return {
      name: s.name,
      inputs: [
        floats([s.rows, s.tokens, s.heads * s.headDim]),
        added,
        added,
        past,
        past,
        listed([s.rows], s.lastPosition, "int32"),
        listed([], [Math.max(...s.lastPosition) + 1], "int32"),
      ],
      build: build(s, output),
      ...(s.sizes && { sizes: s.sizes }),
    };
  });

export const attentionCases = {
  cachedAttention: casesOf("output"),
  extendedKeys: casesOf("keys"),
  extendedValues: casesOf("values"),
};

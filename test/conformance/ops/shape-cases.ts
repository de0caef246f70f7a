/** Conformance cases of reshape, transpose, broadcastTo, slice and concat. */
import { broadcastTo, concat, reshape, slice, transpose } from "../../../src/compiler/ops/index.ts";
import { scalar } from "../../../src/compiler/tensor.ts";
import { bools, type Case, floats, integers } from "./case.ts";

const rowsAndTokens = [
  { rows: 2, tokens: 3 },
  { rows: 3, tokens: 1 },
];
const emptyRowsOrTokens = [
  { rows: 0, tokens: 2 },
  { rows: 2, tokens: 0 },
];

export const shapeCases = {
  reshape: [
    { name: "split and join", inputs: [floats([2, 6])], build: (x) => reshape(x, [3, 2, 2]) },
    { name: "to a scalar", inputs: [floats([1, 1])], build: (x) => reshape(x, []) },
    { name: "from a scalar", inputs: [floats([])], build: (x) => reshape(x, [1, 1, 1]) },
    { name: "integers", inputs: [integers([4])], build: (x) => reshape(x, [2, 2]) },
    { name: "bools", inputs: [bools([4])], build: (x) => reshape(x, [2, 2]) },
    { name: "no elements", inputs: [floats([2, 0])], build: (x) => reshape(x, [0, 3]) },
    {
      name: "the same name on both sides",
      inputs: [floats(["n", 4])],
      build: (x) => reshape(x, ["n", 2, 2]),
      sizes: [{ n: 3 }, { n: 1 }, { n: 0 }],
    },
    {
      name: "a new name",
      inputs: [floats(["n", 4])],
      build: (x) => reshape(x, ["m", 2]),
      sizes: [
        { n: 3, m: 6 },
        { n: 1, m: 2 },
        { n: 0, m: 0 },
      ],
    },
    {
      name: "a new name that another op then needs",
      inputs: [floats(["n", 4])],
      build: (x) => concat([reshape(x, ["m", 2]), broadcastTo(scalar(3), ["m", 1])], 1),
      sizes: [
        { n: 3, m: 6 },
        { n: 1, m: 2 },
        { n: 0, m: 0 },
      ],
    },
    {
      name: "two names joined into a new one",
      inputs: [floats(["rows", "tokens", 2])],
      build: (x) => reshape(x, ["joined", 2]),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens].map((s) => ({ ...s, joined: s.rows * s.tokens })),
    },
    {
      name: "two names of another input",
      inputs: [floats(["joined", 2]), integers(["rows", "tokens"])],
      build: (x) => reshape(x, ["rows", "tokens", 2]),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens].map((s) => ({ ...s, joined: s.rows * s.tokens })),
    },
    {
      name: "a known and a new name",
      inputs: [floats(["joined", 2]), integers(["rows"])],
      build: (x) => reshape(x, ["rows", "each", 2]),
      sizes: rowsAndTokens.map(({ rows, tokens }) => ({ rows, each: tokens, joined: rows * tokens })),
    },
    {
      name: "a new name beside a known one of size 0",
      inputs: [floats(["joined", 2]), integers(["rows"])],
      build: (x) => reshape(x, ["rows", "each", 2]),
      sizes: [{ rows: 0, each: 0, joined: 0 }],
      // Any size would do: the interpreter says 0, ONNX Runtime 1.
      refused: /to deeply equal/,
    },
    {
      name: "names exchanged",
      inputs: [floats(["rows", "tokens"])],
      build: (x) => reshape(x, ["tokens", "rows"]),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
    {
      name: "one name twice",
      inputs: [floats(["n", "n", 2])],
      build: (x) => reshape(x, ["n", "m"]),
      sizes: [
        { n: 3, m: 6 },
        { n: 1, m: 2 },
      ],
    },
  ],
  transpose: [
    { name: "rank 2", inputs: [floats([2, 3])], build: (x) => transpose(x, [1, 0]) },
    { name: "rank 3, a cycle", inputs: [floats([2, 3, 4])], build: (x) => transpose(x, [1, 2, 0]) },
    { name: "rank 4, heads", inputs: [floats([2, 3, 2, 2])], build: (x) => transpose(x, [0, 2, 1, 3]) },
    { name: "rank 5", inputs: [floats([2, 1, 3, 2, 2])], build: (x) => transpose(x, [3, 0, 4, 2, 1]) },
    { name: "rank 0", inputs: [floats([])], build: (x) => transpose(x, []) },
    { name: "identity", inputs: [floats([2, 3])], build: (x) => transpose(x, [0, 1]) },
    { name: "integers", inputs: [integers([2, 3])], build: (x) => transpose(x, [1, 0]) },
    { name: "bools", inputs: [bools([2, 3])], build: (x) => transpose(x, [1, 0]) },
    { name: "no elements", inputs: [floats([2, 0, 3])], build: (x) => transpose(x, [2, 0, 1]) },
    {
      name: "named sizes",
      inputs: [floats(["rows", "tokens", 2, 2])],
      build: (x) => transpose(x, [0, 2, 1, 3]),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
  ],
  broadcastTo: [
    { name: "scalar", inputs: [floats([])], build: (x) => broadcastTo(x, [2, 3]) },
    { name: "missing axis", inputs: [floats([3])], build: (x) => broadcastTo(x, [2, 3]) },
    { name: "size-1 axes", inputs: [floats([2, 1, 3, 1])], build: (x) => broadcastTo(x, [2, 4, 3, 2]) },
    { name: "missing and size-1 axes", inputs: [floats([1, 3])], build: (x) => broadcastTo(x, [2, 4, 3]) },
    { name: "leading 1", inputs: [floats([3])], build: (x) => broadcastTo(x, [1, 3]) },
    { name: "integers", inputs: [integers([2, 1])], build: (x) => broadcastTo(x, [2, 3]) },
    { name: "bools", inputs: [bools([2, 1])], build: (x) => broadcastTo(x, [2, 3]) },
    { name: "to no elements", inputs: [floats([1, 3])], build: (x) => broadcastTo(x, [0, 3]) },
    {
      name: "to names of another input",
      inputs: [floats([1, 2]), integers(["rows", "tokens"])],
      build: (x) => broadcastTo(x, ["rows", "tokens", 2]),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
    {
      name: "to its own name",
      inputs: [floats(["n", 1])],
      build: (x) => broadcastTo(x, ["n", 3]),
      sizes: [{ n: 2 }, { n: 1 }, { n: 0 }],
    },
  ],
  slice: [
    { name: "start", inputs: [floats([4, 3])], build: (x) => slice(x, 0, 0, 2) },
    { name: "middle", inputs: [floats([2, 5, 3])], build: (x) => slice(x, 1, 1, 4) },
    { name: "end", inputs: [floats([2, 4])], build: (x) => slice(x, 1, 3, 4) },
    { name: "whole", inputs: [floats([2, 4])], build: (x) => slice(x, 1, 0, 4) },
    { name: "nothing", inputs: [floats([2, 4])], build: (x) => slice(x, 1, 2, 2) },
    { name: "nothing at the end", inputs: [floats([2, 4])], build: (x) => slice(x, 1, 4, 4) },
    { name: "integers", inputs: [integers([5])], build: (x) => slice(x, 0, 1, 3) },
    { name: "bools", inputs: [bools([5])], build: (x) => slice(x, 0, 1, 3) },
    {
      name: "named sizes",
      inputs: [floats(["rows", 4, "tokens"])],
      build: (x) => slice(x, 1, 1, 3),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
  ],
  concat: [
    {
      name: "three along axis 0",
      inputs: [floats([2, 3]), floats([1, 3]), floats([3, 3])],
      build: (...parts) => concat(parts, 0),
    },
    {
      name: "three along the last axis",
      inputs: [floats([2, 2, 1]), floats([2, 2, 3]), floats([2, 2, 2])],
      build: (...parts) => concat(parts, 2),
    },
    { name: "one tensor twice", inputs: [floats([2, 2])], build: (x) => concat([x, x], 1) },
    { name: "an empty part", inputs: [floats([2, 0]), floats([2, 3])], build: (...parts) => concat(parts, 1) },
    { name: "integers", inputs: [integers([2]), integers([3])], build: (...parts) => concat(parts, 0) },
    { name: "bools", inputs: [bools([2]), bools([3])], build: (...parts) => concat(parts, 0) },
    {
      name: "named sizes",
      inputs: [floats(["rows", 2, "tokens"]), floats(["rows", 1, "tokens"]), floats(["rows", 3, "tokens"])],
      build: (...parts) => concat(parts, 1),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
  ],
} satisfies Record<string, readonly Case[]>;

/** Conformance cases of scatterRows, gatherRows, concatDynamic and splitPart. */
import { concatDynamic, gatherRows, scatterRows, splitPart } from "../../../src/compiler/ops/index.ts";
import { type Case, floats, integers, listed } from "./case.ts";

const ints = (...values: readonly number[]) => listed([values.length], values, "int32");

const sizes = [
  { a: 2, b: 3, both: 5 },
  { a: 1, b: 1, both: 2 },
  { a: 0, b: 2, both: 2 },
  { a: 2, b: 0, both: 2 },
];

export const layoutCases = {
  scatterRows: [
    { name: "a permutation", inputs: [floats([3, 2]), ints(2, 0, 1), ints(1, 2, 0)], build: scatterRows },
    { name: "places to spare", inputs: [floats([2, 3]), ints(-1, 1, -1, 0), ints(3, 1)], build: scatterRows },
    { name: "numbers", inputs: [floats([2]), ints(1, -1, 0), ints(2, 0)], build: scatterRows },
    { name: "rows of matrices", inputs: [floats([2, 2, 2]), ints(1, -1, 0), ints(2, 0)], build: scatterRows },
    {
      name: "named sizes",
      inputs: [floats(["rows", 2]), listed(["places"], [0, -1, 1, -1], "int32"), listed(["rows"], [0, 2], "int32")],
      build: scatterRows,
      sizes: [
        { rows: 1, places: 2 },
        { rows: 2, places: 4 },
      ],
    },
  ],
  gatherRows: [
    { name: "a permutation", inputs: [floats([3, 2]), ints(2, 0, 1), ints(1, 2, 0)], build: gatherRows },
    { name: "places to spare", inputs: [floats([4, 2]), ints(3, 1), ints(-1, 1, -1, 0)], build: gatherRows },
    { name: "numbers", inputs: [floats([3]), ints(2, 0), ints(1, -1, 0)], build: gatherRows },
    { name: "rows of matrices", inputs: [floats([3, 2, 2]), ints(2, 0), ints(1, -1, 0)], build: gatherRows },
    {
      name: "named sizes",
      inputs: [floats(["places", 2]), listed(["rows"], [0, 2], "int32"), listed(["places"], [0, -1, 1, -1], "int32")],
      build: gatherRows,
      sizes: [
        { rows: 1, places: 2 },
        { rows: 2, places: 4 },
      ],
    },
  ],
  concatDynamic: [
    {
      name: "rows",
      inputs: [floats(["a", 2]), floats(["b", 2])],
      build: (a, b) => concatDynamic([a, b], 0, "both"),
      sizes,
    },
    {
      name: "the last axis",
      inputs: [floats([2, 2, "a"]), floats([2, 2, "b"])],
      build: (a, b) => concatDynamic([a, b], 2, "both"),
      sizes,
    },
    {
      name: "integers, a middle axis",
      inputs: [integers([2, "a", 2]), integers([2, "b", 2])],
      build: (a, b) => concatDynamic([a, b], 1, "both"),
      sizes,
    },
    {
      name: "a tensor with itself",
      inputs: [floats(["a", 2])],
      build: (a) => concatDynamic([a, a], 0, "both"),
      sizes: [{ a: 2, both: 4 }],
    },
    {
      name: "three tensors",
      inputs: [floats([2, "a"]), floats([2, 1]), floats([2, "b"])],
      build: (a, one, b) => concatDynamic([a, one, b], 1, "all"),
      sizes: sizes.map((known) => ({ ...known, all: known.both + 1 })),
    },
  ],
  splitPart: [
    ...([0, 1, 2] as const).map(
      (part): Case => ({
        name: `part ${part} of three`,
        inputs: [floats(["a", 2]), floats(["b", 2]), floats(["all", 2])],
        build: (a, b, x) => concatDynamic([a, b, splitPart(x, 0, ["a", "b", 1], part)], 0, "again"),
        sizes: sizes.map(({ a, b, both }) => ({ a, b, all: both + 1, again: both + [a, b, 1][part]! })),
      }),
    ),
    ...([0, 1] as const).flatMap((part): Case[] => [
      {
        name: `part ${part} of rows`,
        inputs: [floats(["a", 2]), floats(["b", 2]), floats(["both", 2])],
        build: (a, b, x) => concatDynamic([splitPart(x, 0, ["a", "b"], part), part === 0 ? b : a], 0, "again"),
        sizes: sizes.map((all) => ({ ...all, again: all.both })),
      },
      {
        name: `part ${part} of the last axis, joined before`,
        inputs: [floats([2, "a"]), floats([2, "b"])],
        build: (a, b) => splitPart(concatDynamic([a, b], 1, "both"), 1, ["a", "b"], part),
        sizes,
      },
      {
        name: `part ${part}, the other size a number`,
        inputs: [floats(["a", 2]), floats(["both", 2])],
        build: (a, x) => concatDynamic([a, splitPart(x, 0, ["a", 3], part)], 0, "again"),
        sizes: [
          { a: 2, both: 5, again: part === 0 ? 4 : 5 },
          { a: 1, both: 4, again: part === 0 ? 2 : 4 },
        ],
      },
    ]),
  ],
} satisfies Record<string, readonly Case[]>;

/** Conformance cases of comparisons, where, cast and stopGradient. */
import { cast, equal, lessOrEqual, mul, stopGradient, where } from "../../../src/compiler/ops/index.ts";
import { scalar, type Tensor } from "../../../src/compiler/tensor.ts";
import { bools, type Case, floats, integers, listed, vector } from "./case.ts";

const zeros = (x: readonly number[]) => x.map(() => 0);

const comparison = (build: (a: Tensor, b: Tensor) => Tensor): Case[] => [
  { name: "same shape", inputs: [floats([2, 3]), floats([2, 3])], build },
  { name: "leading and size-1 axes", inputs: [floats([2, 1, 3]), floats([4, 1])], build },
  { name: "scalar", inputs: [floats([2, 3]), floats([])], build },
  {
    name: "ties, zeros of both signs and neighbours",
    inputs: [vector(1, -0, 2, -1e30), vector(1, 0, 2.000001, -1e30)],
    build,
    gradient: (_, a, b) => [zeros(a!), zeros(b!)],
  },
  { name: "integers", inputs: [integers([4, 5]), integers([5])], build },
  { name: "no elements", inputs: [floats([0, 3]), floats([1, 1])], build },
  { name: "named sizes", inputs: [floats(["n", 1]), floats([3])], build, sizes: [{ n: 2 }, { n: 3 }, { n: 0 }] },
];

/** All pairs of dtypes that cast converts, with values where rounding or truthiness could go wrong. */
const casts: Case[] = (
  [
    ["float32", "int32", [0, 1.9, -1.9, 0.5, -0.5, 1e6]],
    ["float32", "bool", [0, -0, 0.25, -3, 1e-30]],
    ["int32", "float32", [0, -7, 1 << 20]],
    ["int32", "bool", [0, 1, -1, 256]],
    ["bool", "float32", [0, 1]],
    ["bool", "int32", [1, 0]],
  ] as const
).flatMap(([from, to, values]): Case[] => [
  {
    name: `${from} to ${to}`,
    inputs: [listed([2, 3], values, from)],
    build: (x) => cast(x, to),
    gradient: (_, x) => (x === undefined ? [] : [zeros(x)]),
  },
  {
    name: `${from} to ${to}, named size`,
    inputs: [listed(["n"], values, from)],
    build: (x) => cast(x, to),
    gradient: (_, x) => (x === undefined ? [] : [zeros(x)]),
    sizes: [{ n: 2 }, { n: 5 }, { n: 0 }],
  },
]);

export const selectionCases = {
  lessOrEqual: comparison(lessOrEqual),
  equal: [...comparison(equal), { name: "bools", inputs: [bools([3, 2]), bools([3, 1])], build: equal }],
  where: [
    { name: "same shape", inputs: [bools([2, 3]), floats([2, 3]), floats([2, 3])], build: where },
    { name: "scalar branches", inputs: [bools([2, 3]), floats([]), floats([])], build: where },
    { name: "scalar condition", inputs: [bools([]), floats([2, 1]), floats([3])], build: where },
    { name: "all three broadcast", inputs: [bools([4, 1, 1]), floats([3, 1]), floats([2])], build: where },
    { name: "integers", inputs: [bools([4]), integers([4]), integers([])], build: where },
    { name: "no elements", inputs: [bools([0, 1]), floats([3]), floats([0, 3])], build: where },
    {
      name: "named sizes",
      inputs: [bools(["n", 1]), floats(["n", "tokens"]), floats(["tokens"])],
      build: where,
      sizes: [
        { n: 2, tokens: 3 },
        { n: 3, tokens: 2 },
        { n: 0, tokens: 2 },
        { n: 2, tokens: 0 },
      ],
    },
    {
      name: "one tensor in both branches",
      inputs: [bools([4]), floats([4])],
      build: (condition, x) => where(condition, x, x),
    },
    {
      name: "an infinity in the branch not taken",
      inputs: [listed([2], [1, 0], "bool"), vector(1, Number.POSITIVE_INFINITY), vector(Number.NaN, 2)],
      build: where,
      gradient: (g) => [
        [g[0]!, 0],
        [0, g[1]!],
      ],
    },
    {
      name: "at the boundary of its condition the branch taken counts",
      inputs: [vector(-1, 0, 2)],
      build: (x) => where(lessOrEqual(x, scalar(0)), scalar(0), x),
      gradient: (g) => [[0, 0, g[2]!]],
    },
  ],
  cast: casts,
  stopGradient: [
    { name: "alone", inputs: [floats([2, 3])], build: stopGradient, gradient: (_, x) => [zeros(x!)] },
    {
      name: "beside a path with gradient",
      inputs: [floats(["n"])],
      build: (x) => mul(x, stopGradient(x)),
      gradient: (g, x) => [x!.map((value, i) => value * g[i]!)],
      sizes: [{ n: 3 }, { n: 1 }, { n: 0 }],
    },
    { name: "integers", inputs: [integers([3])], build: stopGradient },
  ],
} satisfies Record<string, readonly Case[]>;

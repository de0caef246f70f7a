/** Conformance cases of unary and binary arithmetic. */
import {
  add,
  broadcastTo,
  div,
  erf,
  exp,
  log,
  maximum,
  minimum,
  mul,
  neg,
  sigmoid,
  sqrt,
  sub,
  swish,
  tanh,
} from "../../../src/compiler/ops/index.ts";
import type { Dim } from "../../../src/compiler/spec.ts";
import type { Tensor } from "../../../src/compiler/tensor.ts";
import { type Case, type CaseInput, floats, integers, listed, positive, vector } from "./case.ts";

const INF = Number.POSITIVE_INFINITY;

const unary = (build: (x: Tensor) => Tensor, of: (shape: readonly Dim[]) => CaseInput = floats): Case[] => [
  { name: "rank 3", inputs: [of([2, 3, 4])], build },
  { name: "scalar", inputs: [of([])], build },
  { name: "no elements", inputs: [of([3, 0])], build },
  { name: "named sizes", inputs: [of(["n", 2])], build, sizes: [{ n: 3 }, { n: 1 }, { n: 0 }] },
];

export const unaryCases = {
  neg: [...unary(neg), { name: "zeros and large", inputs: [vector(0, -1e4, 1e4)], build: neg }],
  exp: [
    ...unary(exp),
    { name: "zero and under float32's least", inputs: [vector(0, -1e4, -50, 50)], build: exp },
    { name: "over float32's greatest", inputs: [vector(100, -100)], build: exp },
  ],
  log: [
    ...unary(log, positive),
    { name: "tiny and large", inputs: [vector(1e-30, 1e30)], build: log, gradient: (g, x) => [divide(g, x!)] },
    { name: "zero and negative", inputs: [vector(0, -2)], build: log, gradient: (g, x) => [divide(g, x!)] },
  ],
  sqrt: [
    ...unary(sqrt, positive),
    {
      name: "zero: an infinite slope",
      inputs: [vector(0, 4, 1e30)],
      build: sqrt,
      gradient: (g) => [[g[0]! * INF, g[1]! / 4, (g[2]! * 0.5) / Math.sqrt(Math.fround(1e30))]],
    },
  ],
  tanh: [...unary(tanh), { name: "zero and saturated", inputs: [vector(0, -1e4, 1e4, -20, 20)], build: tanh }],
  swish: [
    ...unary((x) => swish(x, 1)),
    ...unary((x) => swish(x, 1.702)).map((known) => ({ ...known, name: `beta 1.702, ${known.name}` })),
    { name: "zero and saturated", inputs: [vector(0, -1e4, 1e4, -30, 30)], build: (x) => swish(x, 1) },
  ],
  sigmoid: [...unary(sigmoid), { name: "zero and saturated", inputs: [vector(0, -1e4, 1e4, -30, 30)], build: sigmoid }],
  erf: [
    ...unary(erf),
    {
      name: "both expansions and saturated",
      inputs: [vector(0, 1e-6, -0.5, 2.999, 3.001, -3.5, 5.9, -6.1, 1e4)],
      build: erf,
    },
  ],
} satisfies Record<string, readonly Case[]>;

type Binary = (a: Tensor, b: Tensor) => Tensor;

/** `of` fills both operands; for division it avoids values near zero. */
const binary = (build: Binary, of: (shape: readonly Dim[]) => CaseInput = floats): Case[] => {
  const shapes = (name: string, a: readonly Dim[], b: readonly Dim[]) => ({ name, inputs: [of(a), of(b)], build });
  return [
    shapes("same shape", [2, 3], [2, 3]),
    shapes("leading axes of a", [2, 3, 4], [4]),
    shapes("leading axes of b", [4], [2, 3, 4]),
    shapes("size-1 axes on both sides", [2, 1, 4], [1, 3, 1]),
    shapes("size-1 axis and missing axis", [3, 1], [4]),
    shapes("size-1 axes only", [1, 1], [3]),
    shapes("scalar on the left", [], [2, 3]),
    shapes("scalar on the right", [2, 3], []),
    shapes("scalars", [], []),
    shapes("no elements", [0, 3], [3]),
    shapes("no elements against size 1", [0, 3], [1, 1]),
    { ...shapes("named rows", ["n", 3], [3]), sizes: [{ n: 2 }, { n: 4 }, { n: 0 }] },
    { ...shapes("named against size 1", [1, 2], ["n", 2]), sizes: [{ n: 3 }, { n: 1 }, { n: 0 }] },
    {
      ...shapes("two names", ["n", 1], ["tokens"]),
      sizes: [
        { n: 2, tokens: 3 },
        { n: 3, tokens: 1 },
        { n: 2, tokens: 0 },
      ],
    },
    { name: "one tensor twice", inputs: [of([3])], build: (x) => build(x, x), ...onDiagonal(build) },
    {
      name: "explicit broadcast on one side",
      inputs: [of([3]), of([2, 3])],
      build: (a, b) => build(broadcastTo(a, [2, 3]), b),
    },
    {
      name: "explicit broadcasts on both sides",
      inputs: [of([3]), of([])],
      build: (a, b) => build(broadcastTo(a, [2, 3]), broadcastTo(b, [2, 3])),
    },
    { name: "integers", inputs: [integers([2, 3]), listed([3], [-4, 3, 1], "int32")], build },
  ];
};

/** Both operands of minimum and maximum are x, so all elements tie: x gets the whole gradient. */
function onDiagonal(build: Binary): Pick<Case, "gradient"> {
  return build === minimum || build === maximum ? { gradient: (g) => [g] } : {};
}

export const binaryCases = {
  add: [...binary(add), { name: "zeros and large", inputs: [vector(0, 1e4, -1), vector(0, 1e4, 1)], build: add }],
  sub: [...binary(sub), { name: "zeros and large", inputs: [vector(0, 1e4, -1), vector(0, -1e4, -1)], build: sub }],
  mul: [...binary(mul), { name: "zeros and large", inputs: [vector(0, 1e3, 0), vector(0, 1e3, 2)], build: mul }],
  div: [
    ...binary(div, positive),
    { name: "negative numbers and zero", inputs: [vector(-3, 3, -3, 0), vector(2, -2, -2, -7)], build: div },
    {
      name: "by zero",
      inputs: [vector(1, -1), vector(0, 0)],
      build: div,
      gradient: (g) => [
        [g[0]! * INF, g[1]! * INF],
        [-g[0]! * INF, g[1]! * INF],
      ],
    },
  ],
  minimum: [
    ...binary(minimum),
    {
      name: "ties give all to a",
      inputs: [vector(1, 2, -3, 0), vector(1, 5, -4, 0)],
      build: minimum,
      gradient: (g) => [
        [g[0]!, g[1]!, 0, g[3]!],
        [0, 0, g[2]!, 0],
      ],
    },
    {
      name: "ties with a broadcast scalar",
      inputs: [vector(1, 2, 1), listed([], [1])],
      build: minimum,
      gradient: (g) => [[g[0]!, 0, g[2]!], [g[1]!]],
    },
  ],
  maximum: [
    ...binary(maximum),
    {
      name: "ties give all to a",
      inputs: [vector(1, 2, -3, 0), vector(1, 5, -4, 0)],
      build: maximum,
      gradient: (g) => [
        [g[0]!, 0, g[2]!, g[3]!],
        [0, g[1]!, 0, 0],
      ],
    },
    {
      name: "ties with a broadcast scalar",
      inputs: [listed([], [1]), vector(1, 2, 1)],
      build: maximum,
      gradient: (g) => [[g[0]! + g[2]!], [0, g[1]!, 0]],
    },
  ],
} satisfies Record<string, readonly Case[]>;

const divide = (g: readonly number[], x: readonly number[]) => g.map((value, i) => value / x[i]!);

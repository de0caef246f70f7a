/** Conformance cases of matmul, loraMatmul, gather, scatterAdd and takeAlongLastAxis. */
import {
  add,
  gather,
  loraMatmul,
  matmul,
  mul,
  scatterAdd,
  takeAlongLastAxis,
} from "../../../src/compiler/ops/index.ts";
import { withSmallBatch } from "../../../src/compiler/ops/matmul.ts";
import type { Dim } from "../../../src/compiler/spec.ts";
import { constant, type Sizes, scalar, type Tensor } from "../../../src/compiler/tensor.ts";
import { float32 } from "../../../src/core/tensor-data.ts";
import { bools, type Case, floats, indices, integers, listed } from "./case.ts";

/** One case per combination of transposes; a and b are the untransposed shapes. */
const matmuls = (name: string, a: readonly Dim[], b: readonly Dim[], sizes?: readonly Sizes[]): Case[] =>
  [false, true].flatMap((transposeA) =>
    [false, true].map(
      (transposeB): Case => ({
        name: `${name}, ${transposeA ? "aᵀ" : "a"} ${transposeB ? "bᵀ" : "b"}`,
        inputs: [floats(transposeA ? swapped(a) : a), floats(transposeB ? swapped(b) : b)],
        build: (x, y) => matmul(x, y, { transposeA, transposeB }),
        ...(sizes && { sizes }),
      }),
    ),
  );

/** With an inner size of 0, FusedMatMul (any transposed batch) clears only the batch's first matrix. */
const withoutFusedSums = (c: Case): Case => ({ ...c, untried: "FusedMatMul leaves sums of nothing unwritten" });

const swapped = (shape: readonly Dim[]) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];

const rowsAndTokens = [
  { rows: 2, tokens: 3 },
  { rows: 3, tokens: 1 },
];
const emptyRowsOrTokens = [
  { rows: 0, tokens: 2 },
  { rows: 2, tokens: 0 },
];

/**
 * The merged weight is computed in the graph, so that its gradient with respect to both small matrices can be compared.
 */
const adapted = (x: Tensor, a: Tensor, b: Tensor) => {
  const [out, into] = [b.shape[0] as number, a.shape[1] as number];
  const weight = constant(
    float32(
      [out, into],
      Array.from({ length: out * into }, (_, i) => Math.sin(i)),
    ),
  );
  const scale = scalar(0.5);
  return loraMatmul(x, add(weight, matmul(mul(b, scale), a)), a, b, scale);
};

export const matmulCases = {
  loraMatmul: [
    { name: "rank 2", inputs: [floats([4, 3]), floats([2, 3]), floats([5, 2])], build: adapted },
    { name: "rank 1", inputs: [floats([1, 2]), floats([1, 2]), floats([1, 1])], build: adapted },
    {
      name: "named sizes",
      inputs: [floats(["rows", 3]), floats([2, 3]), floats([4, 2])],
      build: adapted,
      sizes: [{ rows: 3 }, { rows: 1 }],
    },
  ],
  matmul: [
    ...matmuls("2-D", [2, 3], [3, 4]),
    ...matmuls("1 by 1", [1, 1], [1, 1]),
    ...matmuls("batched", [2, 2, 3], [2, 3, 4]),
    ...matmuls("two batch axes", [2, 3, 2, 2], [2, 3, 2, 1]),
    ...matmuls("matrix b for all of the batch", [3, 2, 3], [3, 4]),
    ...matmuls("matrix a for all of the batch", [2, 3], [3, 3, 4]),
    ...matmuls("batches broadcast", [2, 1, 2, 3], [3, 3, 2]),
    ...matmuls("size-1 batch of b", [3, 2, 2], [1, 2, 4]),
    ...matmuls("no rows", [0, 3], [3, 2]),
    ...matmuls("no inner elements", [2, 0], [0, 3]),
    ...matmuls("no inner elements, batched", [2, 2, 0], [2, 0, 3]).map(withoutFusedSums),
    ...matmuls("no rows in a batch", [2, 0, 3], [2, 3, 2]).map(withoutFusedSums),
    ...matmuls("no batch", [0, 2, 3], [0, 3, 2]),
    ...matmuls("named rows", ["rows", 3], [3, 2], [{ rows: 2 }, { rows: 1 }, { rows: 0 }]),
    ...matmuls("named inner size", [2, "n"], ["n", 3], [{ n: 2 }, { n: 1 }, { n: 0 }]),
    ...matmuls("named batch and tokens", ["rows", "tokens", 3], [3, 2], rowsAndTokens),
    ...matmuls("named batch and inner size", ["rows", 2, "tokens"], ["rows", "tokens", 3], rowsAndTokens),
    ...matmuls("named on both sides", ["rows", "tokens", 2], ["rows", 2, "tokens"], rowsAndTokens),
    ...matmuls("named empty batch", ["rows", 2, 3], ["rows", 3, 2], [{ rows: 2 }, { rows: 0 }]),
    {
      name: "few rows",
      inputs: [floats(["n", 3]), floats([4, 3])],
      build: (x, weight) => withSmallBatch(matmul(x, weight, { transposeB: true })),
      sizes: [{ n: 2 }, { n: 1 }, { n: 0 }],
    },
    {
      name: "an empty batch by a matrix",
      inputs: [floats([0, 2, 3]), floats([3, 2])],
      build: (a, b) => matmul(a, b),
    },
    {
      name: "an empty batch, transposed, by a matrix",
      inputs: [floats([0, 3, 2]), floats([3, 2])],
      build: (a, b) => matmul(a, b, { transposeA: true }),
      refused: /cannot broadcast on dim 0/,
      gradientRefused: /cannot broadcast on dim 0/,
    },
    {
      name: "a matrix by an empty batch",
      inputs: [floats([2, 3]), floats([0, 3, 2])],
      build: (a, b) => matmul(a, b),
      refused: /cannot broadcast on dim 0/,
      gradientRefused: /cannot broadcast on dim 0/,
    },
    {
      name: "one tensor twice",
      inputs: [floats([3, 3])],
      build: (x) => matmul(x, x, { transposeB: true }),
    },
    {
      name: "zeros and large",
      inputs: [listed([2, 2], [0, 100, -100, 0]), listed([2, 2], [100, 0, 1, -1])],
      build: (a, b) => matmul(a, b),
    },
  ],
  gather: [
    { name: "index of rank 0", inputs: [floats([4, 3]), indices([], 4)], build: gather },
    { name: "index of rank 1", inputs: [floats([4, 3]), indices([5], 4)], build: gather },
    { name: "index of rank 2", inputs: [floats([4, 3]), indices([2, 3], 4)], build: gather },
    {
      name: "repeated and bordering rows",
      inputs: [floats([4, 2]), listed([5], [3, 0, 3, 3, 0], "int32")],
      build: gather,
    },
    { name: "a vector by rank 0", inputs: [floats([4]), indices([], 4)], build: gather },
    { name: "a vector by rank 2", inputs: [floats([4]), indices([2, 3], 4)], build: gather },
    { name: "a table of rank 3", inputs: [floats([3, 2, 2]), indices([4], 3)], build: gather },
    { name: "a table of rank 3 by rank 2", inputs: [floats([3, 2, 2]), indices([2, 2], 3)], build: gather },
    { name: "integers", inputs: [integers([4, 2]), indices([3], 4)], build: gather },
    { name: "bools", inputs: [bools([4, 2]), indices([3], 4)], build: gather },
    { name: "no indices", inputs: [floats([4, 3]), indices([0], 4)], build: gather },
    {
      name: "rows of no elements",
      inputs: [floats([4, 0]), indices([2], 4)],
      build: gather,
      gradientRefused: /Indices vs updates dimensions differs/,
    },
    {
      name: "named indices",
      inputs: [floats([5, 2]), indices(["rows", "tokens"], 5)],
      build: gather,
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
    {
      name: "named table",
      inputs: [floats(["n", 2]), indices([3], 2)],
      build: gather,
      sizes: [{ n: 2 }, { n: 4 }],
    },
  ],
  scatterAdd: [
    { name: "index of rank 0", inputs: [indices([], 4), floats([3])], build: (i, x) => scatterAdd(i, x, [4, 3]) },
    { name: "index of rank 1", inputs: [indices([5], 4), floats([5, 3])], build: (i, x) => scatterAdd(i, x, [4, 3]) },
    {
      name: "index of rank 2",
      inputs: [indices([2, 3], 4), floats([2, 3, 2])],
      build: (i, x) => scatterAdd(i, x, [4, 2]),
    },
    {
      name: "equal indices add up",
      inputs: [listed([5], [3, 0, 3, 3, 0], "int32"), floats([5, 2])],
      build: (i, x) => scatterAdd(i, x, [4, 2]),
    },
    { name: "into a vector", inputs: [indices([5], 3), floats([5])], build: (i, x) => scatterAdd(i, x, [3]) },
    { name: "into a vector by rank 0", inputs: [indices([], 3), floats([])], build: (i, x) => scatterAdd(i, x, [3]) },
    {
      name: "into a vector by rank 2",
      inputs: [indices([2, 2], 3), floats([2, 2])],
      build: (i, x) => scatterAdd(i, x, [3]),
    },
    {
      name: "rows of rank 2",
      inputs: [indices([4], 3), floats([4, 2, 2])],
      build: (i, x) => scatterAdd(i, x, [3, 2, 2]),
    },
    {
      name: "rows of rank 2 by rank 2",
      inputs: [indices([2, 2], 3), floats([2, 2, 2, 1])],
      build: (i, x) => scatterAdd(i, x, [3, 2, 1]),
    },
    { name: "integers", inputs: [indices([4], 3), integers([4, 2])], build: (i, x) => scatterAdd(i, x, [3, 2]) },
    { name: "no indices", inputs: [indices([0], 4), floats([0, 3])], build: (i, x) => scatterAdd(i, x, [4, 3]) },
    {
      name: "named indices",
      inputs: [indices(["rows", "tokens"], 4), floats(["rows", "tokens", 2])],
      build: (i, x) => scatterAdd(i, x, [4, 2]),
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
    {
      name: "named result",
      inputs: [indices([3], 2), floats([3, 2]), floats(["n"])],
      build: (i, x) => scatterAdd(i, x, ["n", 2]),
      sizes: [{ n: 2 }, { n: 4 }],
    },
  ],
  takeAlongLastAxis: [
    { name: "of a vector", inputs: [floats([4]), indices([], 4)], build: takeAlongLastAxis },
    { name: "of a matrix", inputs: [floats([3, 4]), indices([3], 4)], build: takeAlongLastAxis },
    { name: "of rank 3", inputs: [floats([2, 3, 4]), indices([2, 3], 4)], build: takeAlongLastAxis },
    { name: "borders", inputs: [floats([2, 4]), listed([2], [0, 3], "int32")], build: takeAlongLastAxis },
    { name: "integers", inputs: [integers([3, 4]), indices([3], 4)], build: takeAlongLastAxis },
    { name: "bools", inputs: [bools([3, 4]), indices([3], 4)], build: takeAlongLastAxis },
    { name: "no vectors", inputs: [floats([0, 4]), indices([0], 4)], build: takeAlongLastAxis },
    {
      name: "named sizes",
      inputs: [floats(["rows", "tokens", 4]), indices(["rows", "tokens"], 4)],
      build: takeAlongLastAxis,
      sizes: [...rowsAndTokens, ...emptyRowsOrTokens],
    },
  ],
} satisfies Record<string, readonly Case[]>;

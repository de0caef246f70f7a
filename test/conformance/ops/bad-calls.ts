/** One call per op that its shape rule must refuse, with the error message. */
import {
  add,
  applyRotary,
  argmax,
  broadcastTo,
  concat,
  concatDynamic,
  cumulativeSum,
  dequantize,
  div,
  equal,
  erf,
  exp,
  gather,
  gatherRows,
  lessOrEqual,
  log,
  logSoftmax,
  loraMatmul,
  matmul,
  max,
  maximum,
  minimum,
  mul,
  neg,
  type ops,
  quantizedMatmul,
  reshape,
  rmsNorm,
  scatterAdd,
  scatterRows,
  sigmoid,
  slice,
  softmax,
  splitPart,
  sqrt,
  sub,
  sum,
  swish,
  takeAlongLastAxis,
  tanh,
  topK,
  transpose,
  where,
} from "../../../src/compiler/ops/index.ts";
import type { Dim } from "../../../src/compiler/spec.ts";
import { input, type Tensor } from "../../../src/compiler/tensor.ts";

interface BadCall {
  readonly call: () => Tensor;
  readonly message: string;
}

const floats = (...shape: Dim[]) => input("floats", "float32", shape);
const ints = (...shape: Dim[]) => input("ints", "int32", shape);
const bytes = (...shape: Dim[]) => input("bytes", "uint8", shape);
const bools = (...shape: Dim[]) => input("bools", "bool", shape);

/** Null if the op takes any tensor. */
export const badCalls: Record<keyof typeof ops, BadCall | null> = {
  loraMatmul: {
    call: () => loraMatmul(floats(2, 3), floats(4, 3), floats(2, 3), floats(4, 1), floats()),
    message: "loraMatmul: expected [out, in], [rank, in], [out, rank] and a number, got [4, 3] [2, 3] [4, 1] []",
  },
  neg: { call: () => neg(ints(2)), message: "neg: expected floats, got int32" },
  exp: { call: () => exp(bools(2)), message: "exp: expected floats, got bool" },
  log: { call: () => log(ints(2)), message: "log: expected floats, got int32" },
  sqrt: { call: () => sqrt(ints(2)), message: "sqrt: expected floats, got int32" },
  tanh: { call: () => tanh(ints(2)), message: "tanh: expected floats, got int32" },
  swish: { call: () => swish(ints(2), 1), message: "swish: expected floats, got int32" },
  sigmoid: { call: () => sigmoid(ints(2)), message: "sigmoid: expected floats, got int32" },
  erf: { call: () => erf(ints(2)), message: "erf: expected floats, got int32" },
  add: { call: () => add(floats(2, 3), floats(2)), message: "add: shapes do not broadcast: [2, 3] and [2]" },
  sub: { call: () => sub(floats("n"), floats(2)), message: "sub: shapes do not broadcast: [n] and [2]" },
  mul: { call: () => mul(floats(2), ints(2)), message: "mul: dtypes must match, got float32 and int32" },
  div: { call: () => div(bools(2), bools(2)), message: "div: expected numbers, got bool" },
  minimum: { call: () => minimum(floats(2), ints(2)), message: "minimum: dtypes must match, got float32 and int32" },
  maximum: { call: () => maximum(floats(0), floats(2)), message: "maximum: shapes do not broadcast: [0] and [2]" },
  lessOrEqual: { call: () => lessOrEqual(bools(2), bools(2)), message: "lessOrEqual: expected numbers, got bool" },
  equal: { call: () => equal(ints(2), floats(2)), message: "equal: dtypes must match, got int32 and float32" },
  where: {
    call: () => where(floats(2), floats(2), floats(2)),
    message: "where: the condition must be bool, got float32",
  },
  cast: null,
  stopGradient: null,
  sum: { call: () => sum(floats(2, 3), [2]), message: "sum: axes [2] do not exist in [2, 3]" },
  softmax: { call: () => softmax(floats()), message: "softmax: expected at least one axis, got a scalar" },
  logSoftmax: { call: () => logSoftmax(ints(2)), message: "logSoftmax: expected floats, got int32" },
  cumulativeSum: { call: () => cumulativeSum(bools(2)), message: "cumulativeSum: expected numbers, got bool" },
  max: { call: () => max(floats()), message: "max: expected at least one axis, got a scalar" },
  topK: { call: () => topK(floats(2, 3), 4), message: "topK: count 4 does not fit the last axis of [2, 3]" },
  argmax: { call: () => argmax(floats()), message: "argmax: expected at least one axis, got a scalar" },
  reshape: { call: () => reshape(floats(2, 3), [4]), message: "reshape: sizes must match, got [2, 3] to [4]" },
  transpose: {
    call: () => transpose(floats(2, 3), [0, 0]),
    message: "transpose: [0, 0] does not permute the axes of [2, 3]",
  },
  broadcastTo: {
    call: () => broadcastTo(floats(2, 3), [3]),
    message: "broadcastTo: [2, 3] does not broadcast to [3]",
  },
  slice: { call: () => slice(floats(2, 3), 1, 2, 4), message: "slice: [2, 4) of axis 1 does not lie in [2, 3]" },
  concat: {
    call: () => concat([floats(2, 3), floats(3, 3)], 1),
    message: "concat: shapes must be known along axis 1 and match elsewhere, got [2, 3] and [3, 3]",
  },
  matmul: {
    call: () => matmul(floats(2, 3), floats(4, 5), { transposeB: true }),
    message: "matmul: inner sizes must match, got [2, 3] @ [4, 5]ᵀ",
  },
  gather: {
    call: () => gather(floats(4, 3), floats(2)),
    message: "gather: expected rows and int32 indices, got [4, 3] and float32",
  },
  dequantize: {
    call: () => dequantize(bytes(4, 32), floats(4, 2), 8),
    message: "dequantize: expected rows of bytes and a scale for every 32 elements, got uint8 [4, 32] and [4, 2]",
  },
  quantizedMatmul: {
    call: () => quantizedMatmul(floats(2, 32), bytes(4, 32), floats(4, 2), 4),
    message: "quantizedMatmul: expected rows of 64 elements, got [2, 32]",
  },
  rmsNorm: {
    call: () => rmsNorm(floats(2, 3), floats(2), 1e-6),
    message: "rmsNorm: expected one weight for each element of a last axis of known size, got [2, 3] and [2]",
  },
  applyRotary: {
    call: () => applyRotary(floats(1, 2, 3, 4), floats(1, 2, 4), floats(1, 2, 4)),
    message:
      "applyRotary: expected [rows, tokens, heads, headDim] and two [rows, tokens, headDim / 2], got [1, 2, 3, 4] [1, 2, 4] [1, 2, 4]",
  },
  scatterRows: {
    call: () => scatterRows(floats(4, 3), ints(2), ints(3)),
    message:
      "scatterRows: expected rows, an int32 vector and an int32 vector of one index per row, got float32 [4, 3], int32 [2], int32 [3]",
  },
  gatherRows: {
    call: () => gatherRows(floats(4, 3), ints(2), ints(3)),
    message:
      "gatherRows: expected rows, an int32 vector and an int32 vector of one index per row, got float32 [4, 3], int32 [2], int32 [3]",
  },
  concatDynamic: {
    call: () => concatDynamic([floats("a", 3), floats("b", 4)], 0, "both"),
    message: "concatDynamic: shapes and dtypes must match except along axis 0, got [a, 3] and [b, 4]",
  },
  splitPart: {
    call: () => splitPart(floats(4, 3), 2, [1, 2], 0),
    message: "splitPart: [4, 3] has no axis 2",
  },
  scatterAdd: {
    call: () => scatterAdd(ints(2), floats(3, 4), [5, 4]),
    message: "scatterAdd: expected int32 indices and rows [2, 4], got [3, 4]",
  },
  takeAlongLastAxis: {
    call: () => takeAlongLastAxis(floats(2, 3), ints(3)),
    message: "takeAlongLastAxis: expected one int32 index per vector of [2, 3], got [3]",
  },
};

/** Every operation: builders for graphs, and the op objects as one table for tests. */

import { adaptedMatmulOp } from "./adapted.ts";
import * as elementwise from "./elementwise.ts";
import { rmsNormOp, rotateOp } from "./fused.ts";
import { gatherOp, pickOp, scatterAddOp } from "./gather.ts";
import { joinedPartOp, joinOp } from "./join.ts";
import { collectLinesOp, spreadLinesOp } from "./lines.ts";
import { matmulOp } from "./matmul.ts";
import { dequantizeOp, quantizedMatmulOp } from "./quantized.ts";
import { argmaxOp, cumulativeSumOp, largestOp, logSoftmaxOp, maxOp, softmaxOp, sumOp } from "./reduce.ts";
import { broadcastToOp, concatOp, reshapeOp, sliceOp, transposeOp } from "./shape.ts";

export { adaptedMatmul } from "./adapted.ts";
export {
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  lessOrEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  onesLike,
  sigmoid,
  sqrt,
  stopGradient,
  sub,
  swish,
  tanh,
  where,
  zerosLike,
} from "./elementwise.ts";
export { rmsNorm, rotate } from "./fused.ts";
export { gather, isPicked, pick, scatterAdd } from "./gather.ts";
export { join, joinedPart } from "./join.ts";
export { collectLines, spreadLines } from "./lines.ts";
export { matmul } from "./matmul.ts";
export { dequantize, quantizedMatmul } from "./quantized.ts";
export { argmax, cumulativeSum, largest, logSoftmax, max, softmax, sum } from "./reduce.ts";
export { broadcastTo, concat, reshape, slice, transpose } from "./shape.ts";

export const ops = {
  neg: elementwise.negOp,
  exp: elementwise.expOp,
  log: elementwise.logOp,
  sqrt: elementwise.sqrtOp,
  tanh: elementwise.tanhOp,
  sigmoid: elementwise.sigmoidOp,
  swish: elementwise.swishOp,
  erf: elementwise.erfOp,
  add: elementwise.addOp,
  sub: elementwise.subOp,
  mul: elementwise.mulOp,
  div: elementwise.divOp,
  minimum: elementwise.minimumOp,
  maximum: elementwise.maximumOp,
  lessOrEqual: elementwise.lessOrEqualOp,
  equal: elementwise.equalOp,
  where: elementwise.whereOp,
  cast: elementwise.castOp,
  stopGradient: elementwise.stopGradientOp,
  sum: sumOp,
  softmax: softmaxOp,
  logSoftmax: logSoftmaxOp,
  cumulativeSum: cumulativeSumOp,
  max: maxOp,
  largest: largestOp,
  argmax: argmaxOp,
  reshape: reshapeOp,
  transpose: transposeOp,
  broadcastTo: broadcastToOp,
  slice: sliceOp,
  concat: concatOp,
  matmul: matmulOp,
  gather: gatherOp,
  scatterAdd: scatterAddOp,
  pick: pickOp,
  spreadLines: spreadLinesOp,
  collectLines: collectLinesOp,
  join: joinOp,
  adaptedMatmul: adaptedMatmulOp,
  joinedPart: joinedPartOp,
  dequantize: dequantizeOp,
  quantizedMatmul: quantizedMatmulOp,
  rmsNorm: rmsNormOp,
  rotate: rotateOp,
} as const;

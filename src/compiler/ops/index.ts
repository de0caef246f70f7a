/** Every op: builders for graphs, and the op objects as one table for tests. */

import { concatDynamicOp, splitPartOp } from "./concat-dynamic.ts";
import * as elementwise from "./elementwise.ts";
import { applyRotaryOp, rmsNormOp } from "./fused.ts";
import { gatherOp, scatterAddOp, takeAlongLastAxisOp } from "./gather.ts";
import { loraMatmulOp } from "./lora-matmul.ts";
import { matmulOp } from "./matmul.ts";
import { dequantizeOp, quantizedMatmulOp } from "./quantized.ts";
import { argmaxOp, cumulativeSumOp, logSoftmaxOp, maxOp, softmaxOp, sumOp, topKOp } from "./reduce.ts";
import { gatherRowsOp, scatterRowsOp } from "./rows.ts";
import { broadcastToOp, concatOp, reshapeOp, sliceOp, transposeOp } from "./shape.ts";

export { concatDynamic, splitPart } from "./concat-dynamic.ts";
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
export { applyRotary, rmsNorm } from "./fused.ts";
export { gather, isPicked, scatterAdd, takeAlongLastAxis } from "./gather.ts";
export { loraMatmul } from "./lora-matmul.ts";
export { matmul } from "./matmul.ts";
export { dequantize, quantizedMatmul } from "./quantized.ts";
export { argmax, cumulativeSum, logSoftmax, max, softmax, sum, topK } from "./reduce.ts";
export { gatherRows, scatterRows } from "./rows.ts";
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
  topK: topKOp,
  argmax: argmaxOp,
  reshape: reshapeOp,
  transpose: transposeOp,
  broadcastTo: broadcastToOp,
  slice: sliceOp,
  concat: concatOp,
  matmul: matmulOp,
  gather: gatherOp,
  scatterAdd: scatterAddOp,
  takeAlongLastAxis: takeAlongLastAxisOp,
  scatterRows: scatterRowsOp,
  gatherRows: gatherRowsOp,
  concatDynamic: concatDynamicOp,
  loraMatmul: loraMatmulOp,
  splitPart: splitPartOp,
  dequantize: dequantizeOp,
  quantizedMatmul: quantizedMatmulOp,
  rmsNorm: rmsNormOp,
  applyRotary: applyRotaryOp,
} as const;

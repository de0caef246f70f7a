/** What is done with whole arrays on a device, as programs for arrays of any size of a rank; float32 all of them. */
import { add, div, gather, mul, scatterAdd, sqrt, sub, sum } from "../../../compiler/ops/index.ts";
import { input, type Program, scalar, type Tensor } from "../../../compiler/tensor.ts";
import { type AdamWFactors, adamWFactorNames } from "../../../nn/vector-kernels.ts";

/** "n" rows and axes of any size. */
function array(name: string, rank: number, rows = "n"): Tensor {
  const axes = Array.from({ length: Math.max(0, rank - 1) }, (_, axis) => `d${axis + 1}`);
  return input(name, "float32", rank === 0 ? [] : [rows, ...axes]);
}

const indexInput = () => input("row index", "int32", ["m"]);

export function copyProgram(rank: number): Program {
  const x = array("x", rank);
  return { inputs: { x }, outputs: { y: mul(x, scalar(1)) } };
}

/** x − x: a tensor of zeros would be made on the host and cross. */
export function zerosProgram(rank: number): Program {
  const x = array("x", rank);
  return { inputs: { x }, outputs: { y: sub(x, x) } };
}

export function addProgram(rank: number): Program {
  const [total, added] = [array("total", rank), array("added", rank)];
  return { inputs: { total, added }, outputs: { "new total": add(total, added) } };
}

export function mixProgram(rank: number): Program {
  const [total, other] = [array("total", rank), array("other", rank)];
  const [keep, share] = [input("keep", "float32", []), input("share", "float32", [])];
  return {
    inputs: { total, other, keep, share },
    outputs: { "new total": add(mul(total, keep), mul(other, share)) },
  };
}

export function rowsProgram(rank: number): Program {
  const [x, index] = [array("x", rank), indexInput()];
  return { inputs: { x, "row index": index }, outputs: { y: gather(x, index) } };
}

export function addRowsProgram(rank: number): Program {
  const [total, rows, index] = [array("total", rank), array("rows", rank, "m"), indexInput()];
  const added = scatterAdd(index, rows, total.shape);
  return { inputs: { total, rows, "row index": index }, outputs: { "new total": add(total, added) } };
}

/** total [1] plus the squares of all elements, summed axis by axis: one sum over all would be one thread's. */
export function squaresProgram(rank: number): Program {
  const [total, value] = [input("total", "float32", [1]), array("value", rank)];
  let squares: Tensor = mul(value, value);
  for (let axis = rank - 1; axis >= 0; axis--) squares = sum(squares, [axis]);
  return { inputs: { total, value }, outputs: { "new total": add(total, squares) } };
}

/** AdamW as `src/nn/vector-kernels.ts` computes it. */
export function adamWProgram(rank: number): Program {
  const [weight, gradient] = [array("weight", rank), array("gradient", rank)];
  const [first, second] = [array("first", rank), array("second", rank)];
  const f = Object.fromEntries(adamWFactorNames.map((name) => [name, input(name, "float32", [])])) as Readonly<
    Record<keyof AdamWFactors, Tensor>
  >;
  const g = mul(gradient, f.gradientScale);
  const m = add(mul(first, f.beta1), mul(g, f.oneLessBeta1));
  const v = add(mul(second, f.beta2), mul(mul(g, g), f.oneLessBeta2));
  const denominator = add(mul(sqrt(v), f.inverseCorrection), f.epsilon);
  const moved = sub(mul(weight, f.keep), div(mul(m, f.stepSize), denominator));
  return {
    inputs: { weight, gradient, first, second, ...f },
    outputs: { "new weight": moved, "new first": m, "new second": v },
  };
}

/**
 * What is done with whole arrays on a device, as programs for arrays of any size of a rank, or for as many arrays as there are
 * ranks, "x.0", "x.1", …; float32 all of them.
 */
import { add, div, gather, mul, scatterAdd, sqrt, sub, sum } from "../../../compiler/ops/index.ts";
import { input, type Params, type Program, scalar, type Tensor } from "../../../compiler/tensor.ts";
import { type AdamWFactors, adamWFactorNames } from "../../../nn/vector-kernels.ts";
import type { Moments } from "./arrays.ts";

/** Rows and axes of any size. */
function array(name: string, rank: number, rows = "n", of = ""): Tensor {
  const axes = Array.from({ length: Math.max(0, rank - 1) }, (_, axis) => `d${axis + 1}${of}`);
  return input(name, "float32", rank === 0 ? [] : [rows + of, ...axes]);
}

/** Arrays of these ranks, array i of any size of its own. */
const arrays = (name: string, ranks: readonly number[]) =>
  ranks.map((rank, i) => array(`${name}.${i}`, rank, "n", `.${i}`));

/** By name and number. */
export const numbered = <T>(name: string, values: readonly T[]): Params<T> =>
  Object.fromEntries(values.map((value, i) => [`${name}.${i}`, value]));

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

export function addProgram(ranks: readonly number[]): Program {
  const [totals, added] = [arrays("total", ranks), arrays("added", ranks)];
  const sums = totals.map((total, i) => add(total, added[i]!));
  return {
    inputs: { ...numbered("total", totals), ...numbered("added", added) },
    outputs: numbered("new total", sums),
  };
}

export function mixProgram(ranks: readonly number[]): Program {
  const [totals, others] = [arrays("total", ranks), arrays("other", ranks)];
  const [keep, share] = [input("keep", "float32", []), input("share", "float32", [])];
  const mixed = totals.map((total, i) => add(mul(total, keep), mul(others[i]!, share)));
  return {
    inputs: { ...numbered("total", totals), ...numbered("other", others), keep, share },
    outputs: numbered("new total", mixed),
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

/** The sum of the squares of all elements, summed axis by axis: one sum over all would be one thread's. */
export function squaresProgram(ranks: readonly number[]): Program {
  const values = arrays("gradient", ranks);
  const sums = values.map((value) => {
    let squares: Tensor = mul(value, value);
    for (let axis = value.shape.length - 1; axis >= 0; axis--) squares = sum(squares, [axis]);
    return squares;
  });
  return { inputs: numbered("gradient", values), outputs: { norm: sums.reduce((a, b) => add(a, b)) } };
}

type Factors = Readonly<Record<keyof AdamWFactors, Tensor>>;

/** AdamW as `src/nn/vector-kernels.ts` computes it, under the same factors for all weights. */
export function adamWProgram(ranks: readonly number[]): Program {
  const [weights, gradients] = [arrays("weight", ranks), arrays("gradient", ranks)];
  const [firsts, seconds] = [arrays("first", ranks), arrays("second", ranks)];
  const f = Object.fromEntries(adamWFactorNames.map((name) => [name, input(name, "float32", [])])) as Factors;
  const outputs = ranks.flatMap((_, i) => {
    const moved = adamW([weights[i]!, gradients[i]!, firsts[i]!, seconds[i]!], f);
    return Object.entries(moved).map(([name, value]) => [`new ${name}.${i}`, value] as const);
  });
  return {
    inputs: {
      ...{ ...numbered("weight", weights), ...numbered("gradient", gradients) },
      ...{ ...numbered("first", firsts), ...numbered("second", seconds), ...f },
    },
    outputs: Object.fromEntries(outputs),
  };
}

type Arrays = readonly [weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor];

function adamW([weight, gradient, first, second]: Arrays, f: Factors): Record<keyof Moments | "weight", Tensor> {
  const g = mul(gradient, f.gradientScale);
  const m = add(mul(first, f.beta1), mul(g, f.oneLessBeta1));
  const v = add(mul(second, f.beta2), mul(mul(g, g), f.oneLessBeta2));
  const denominator = add(mul(sqrt(v), f.inverseCorrection), f.epsilon);
  return { weight: sub(mul(weight, f.keep), div(mul(m, f.stepSize), denominator)), first: m, second: v };
}

/** Element-wise operations with NumPy broadcasting. */
import { allocate, type DType, type TensorData } from "../../core/tensor-data.ts";
import { floatLike } from "../interpret.ts";
import { apply, isScalarConstant, type Op, scalar, type Tensor } from "../tensor.ts";
import { broadcastShapes, walkBroadcast } from "./broadcast.ts";
import { sumTo } from "./reduce.ts";
import { broadcastTo, broadcastToOp } from "./shape.ts";

type Unary = Op<null>;

function unary(name: string, onnxName: string, f: (x: number) => number, df: (y: Tensor, x: Tensor) => Tensor): Unary {
  return {
    name,
    infer: ([x]) => ({ dtype: requireFloat(name, x!.dtype), shape: x!.shape }),
    evaluate: ([x]) => {
      const data = floatLike([x!], x!.data.length);
      for (let i = 0; i < data.length; i++) data[i] = f(x!.data[i]!);
      return { dtype: x!.dtype, shape: x!.shape, data };
    },
    vjp: (y, g) => [mul(g, df(y, y.inputs[0]!))],
    lower: (_, inputs, onnx) => onnx.node(onnxName, inputs),
  };
}

export function requireFloat(name: string, dtype: DType): DType {
  if (dtype !== "float32" && dtype !== "float64") throw new Error(`${name}: expected floats, got ${dtype}`);
  return dtype;
}

export function requireNumber(name: string, dtype: DType): DType {
  if (dtype === "bool") throw new Error(`${name}: expected numbers, got bool`);
  return dtype;
}

/** Gauss error function, to about 1e-15: series below 2, continued fraction above. */
function erfNumber(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2) {
    let term = a;
    let total = a;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
      if (term === 0) break;
    }
    return (Math.sign(x) * total * 2) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}

export const negOp = unary(
  "neg",
  "Neg",
  (x) => -x,
  () => scalar(-1),
);
export const expOp = unary("exp", "Exp", Math.exp, (y) => y);
export const logOp = unary("log", "Log", Math.log, (_, x) => div(scalar(1), x));
export const sqrtOp = unary("sqrt", "Sqrt", Math.sqrt, (y) => div(scalar(0.5), y));
export const tanhOp = unary("tanh", "Tanh", Math.tanh, (y) => sub(scalar(1), mul(y, y)));
export const sigmoidOp = unary(
  "sigmoid",
  "Sigmoid",
  (x) => 1 / (1 + Math.exp(-x)),
  (y) => mul(y, sub(scalar(1), y)),
);
export const erfOp = unary("erf", "Erf", erfNumber, (_, x) => mul(scalar(2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x)))));

export const swishOp: Op<{ readonly beta: number }> = {
  name: "swish",
  infer: ([x]) => ({ dtype: requireFloat("swish", x!.dtype), shape: x!.shape }),
  evaluate: ([x], { beta }) => {
    const data = floatLike([x!], x!.data.length);
    for (let i = 0; i < data.length; i++) data[i] = x!.data[i]! / (1 + Math.exp(-beta * x!.data[i]!));
    return { dtype: x!.dtype, shape: x!.shape, data };
  },
  vjp: (y, g) => {
    const beta = scalar(y.attrs.beta);
    const gate = sigmoid(mul(beta, y.inputs[0]!));
    return [mul(g, add(gate, mul(beta, sub(y, mul(y, gate)))))];
  },
  lower: (y, inputs, onnx) =>
    onnx.node("QuickGelu", inputs, { alpha: { float: y.attrs.beta } }, { domain: "com.microsoft" }),
};

export const neg = (x: Tensor) => apply(negOp, [x], null);
export const exp = (x: Tensor) => apply(expOp, [x], null);
export const log = (x: Tensor) => apply(logOp, [x], null);
export const sqrt = (x: Tensor) => apply(sqrtOp, [x], null);
export const tanh = (x: Tensor) => apply(tanhOp, [x], null);
export const sigmoid = (x: Tensor) => apply(sigmoidOp, [x], null);
export const erf = (x: Tensor) => apply(erfOp, [x], null);
/** x · sigmoid(beta x) (arXiv 1710.05941). */
export const swish = (x: Tensor, beta: number) => apply(swishOp, [x], { beta });

type BinaryGradient = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => readonly [Tensor, Tensor];

function binary(name: string, onnxName: string, f: (a: number, b: number) => number, df: BinaryGradient): Op<null> {
  return {
    name,
    infer: ([a, b]) => {
      if (a!.dtype !== b!.dtype) throw new Error(`${name}: dtypes must match, got ${a!.dtype} and ${b!.dtype}`);
      return { dtype: requireNumber(name, a!.dtype), shape: broadcastShapes(name, [a!.shape, b!.shape]) };
    },
    evaluate: ([a, b]) => evaluateBinary(name, a!, b!, a!.dtype, f),
    vjp: (y, g) => {
      const [a, b] = y.inputs as readonly [Tensor, Tensor];
      const [ga, gb] = df(g, a, b, y);
      return [sumTo(ga, a), sumTo(gb, b)];
    },
    lower: (_, inputs, onnx) => onnx.node(onnxName, inputs),
  };
}

function evaluateBinary(
  name: string,
  a: TensorData,
  b: TensorData,
  dtype: DType,
  f: (a: number, b: number) => number,
): TensorData {
  const shape = broadcastShapes(name, [a.shape, b.shape]);
  const size = shape.reduce((n, dim) => n * dim, 1);
  const data = dtype === "float32" || dtype === "float64" ? floatLike([a, b], size) : allocate(dtype, size);
  walkBroadcast(shape, [a.shape, b.shape], (out, [i, j]) => {
    data[out] = f(a.data[i!]!, b.data[j!]!);
  });
  return { dtype, shape, data };
}

/** At ties, the first operand gets the whole gradient. */
const firstWins = (compare: (a: Tensor, b: Tensor) => Tensor): BinaryGradient => {
  return (g, a, b) => {
    const first = compare(a, b);
    return [where(first, g, zerosLike(g)), where(first, zerosLike(g), g)];
  };
};

export const addOp = binary(
  "add",
  "Add",
  (a, b) => a + b,
  (g) => [g, g],
);
export const subOp = binary(
  "sub",
  "Sub",
  (a, b) => a - b,
  (g) => [g, neg(g)],
);
export const mulOp = binary(
  "mul",
  "Mul",
  (a, b) => a * b,
  (g, a, b) => [mul(g, b), mul(g, a)],
);
export const divOp = binary(
  "div",
  "Div",
  (a, b) => a / b,
  (g, _, b, y) => [div(g, b), neg(div(mul(g, y), b))],
);
export const minimumOp = binary("minimum", "Min", Math.min, firstWins(lessOrEqual));
export const maximumOp = binary(
  "maximum",
  "Max",
  Math.max,
  firstWins((a, b) => lessOrEqual(b, a)),
);

export const add = (a: Tensor, b: Tensor) => applyBroadcast(addOp, a, b);
export const sub = (a: Tensor, b: Tensor) => applyBroadcast(subOp, a, b);
export const mul = (a: Tensor, b: Tensor) => (isOne(a, b) ? b : isOne(b, a) ? a : applyBroadcast(mulOp, a, b));
export const div = (a: Tensor, b: Tensor) => applyBroadcast(divOp, a, b);
/** At ties, `a` gets the whole gradient. */
export const minimum = (a: Tensor, b: Tensor) => applyBroadcast(minimumOp, a, b);
/** At ties, `a` gets the whole gradient. */
export const maximum = (a: Tensor, b: Tensor) => applyBroadcast(maximumOp, a, b);

const isOne = (t: Tensor, other: Tensor) =>
  isScalarConstant(t) && t.attrs.data[0] === 1 && t.dtype === other.dtype && t.dtype !== "bool";

/** Ops whose output elements each depend only on the input elements at the same position. */
export const elementwiseOps: ReadonlySet<Op> = new Set<Op>([
  ...[negOp, expOp, logOp, sqrtOp, tanhOp, sigmoidOp, erfOp, swishOp],
  ...[addOp, subOp, mulOp, divOp, minimumOp, maximumOp],
]);

/** Operands broadcast implicitly: an explicit broadcast is dropped where the other operand implies it. */
function applyBroadcast(op: Op<null>, a: Tensor, b: Tensor): Tensor {
  const whole = broadcastShapes(op.name, [a.shape, b.shape]).join();
  const peeled = (t: Tensor) => (t.op === broadcastToOp ? t.inputs[0]! : t);
  const implies = (x: Tensor, y: Tensor) => broadcastShapes(op.name, [x.shape, y.shape]).join() === whole;
  let left = a;
  let right = b;
  if (implies(peeled(left), right)) left = peeled(left);
  if (implies(left, peeled(right))) right = peeled(right);
  return apply(op, [left, right], null);
}

function comparison(
  name: string,
  onnxName: string,
  f: (a: number, b: number) => boolean,
  check?: (name: string, dtype: DType) => DType,
): Op<null> {
  return {
    name,
    infer: ([a, b]) => {
      check?.(name, a!.dtype);
      if (a!.dtype !== b!.dtype) throw new Error(`${name}: dtypes must match, got ${a!.dtype} and ${b!.dtype}`);
      return { dtype: "bool", shape: broadcastShapes(name, [a!.shape, b!.shape]) };
    },
    evaluate: ([a, b]) => evaluateBinary(name, a!, b!, "bool", (x, y) => (f(x, y) ? 1 : 0)),
    vjp: () => [null, null],
    lower: (_, inputs, onnx) => onnx.node(onnxName, inputs),
  };
}

export const lessOrEqualOp = comparison("lessOrEqual", "LessOrEqual", (a, b) => a <= b, requireNumber);
export const equalOp = comparison("equal", "Equal", (a, b) => a === b);

export function lessOrEqual(a: Tensor, b: Tensor): Tensor {
  return apply(lessOrEqualOp, [a, b], null);
}
export function equal(a: Tensor, b: Tensor): Tensor {
  return apply(equalOp, [a, b], null);
}

export const whereOp: Op<null> = {
  name: "where",
  infer: ([condition, a, b]) => {
    if (condition!.dtype !== "bool") throw new Error(`where: the condition must be bool, got ${condition!.dtype}`);
    if (a!.dtype !== b!.dtype) throw new Error(`where: dtypes must match, got ${a!.dtype} and ${b!.dtype}`);
    return {
      dtype: requireNumber("where", a!.dtype),
      shape: broadcastShapes("where", [condition!.shape, a!.shape, b!.shape]),
    };
  },
  evaluate: ([condition, a, b]) => {
    const shape = broadcastShapes("where", [condition!.shape, a!.shape, b!.shape]);
    const size = shape.reduce((n, dim) => n * dim, 1);
    const data = a!.dtype.startsWith("float") ? floatLike([a!, b!], size) : allocate(a!.dtype, size);
    walkBroadcast(shape, [condition!.shape, a!.shape, b!.shape], (out, [c, i, j]) => {
      data[out] = condition!.data[c!] ? a!.data[i!]! : b!.data[j!]!;
    });
    return { dtype: a!.dtype, shape, data };
  },
  vjp: (y, g) => {
    const [condition, a, b] = y.inputs as readonly [Tensor, Tensor, Tensor];
    return [null, sumTo(where(condition, g, scalar(0)), a), sumTo(where(condition, scalar(0), g), b)];
  },
  lower: (_, inputs, onnx) => onnx.node("Where", inputs),
};

/** Element-wise `condition ? a : b`. */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  return apply(whereOp, [condition, a, b], null);
}

export const castOp: Op<{ readonly to: DType }> = {
  name: "cast",
  infer: ([x], { to }) => ({ dtype: to, shape: x!.shape }),
  evaluate: ([x], { to }) => {
    const data = allocate(to, x!.data.length);
    for (let i = 0; i < data.length; i++) data[i] = to === "bool" ? Number(x!.data[i] !== 0) : x!.data[i]!;
    return { dtype: to, shape: x!.shape, data };
  },
  vjp: (y, g) => [y.inputs[0]!.dtype === "float32" && y.dtype === "float32" ? g : null],
  lower: (y, [x], onnx) => onnx.cast(x!, y.attrs.to),
};

export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : apply(castOp, [x], { to });
}

export const stopGradientOp: Op<null> = {
  name: "stopGradient",
  infer: ([x]) => x!,
  evaluate: ([x]) => x!,
  vjp: () => [null],
  lower: (_, [x]) => x!,
};

/** x, with its gradient blocked. */
export const stopGradient = (x: Tensor) => apply(stopGradientOp, [x], null);

export function zerosLike(t: Tensor): Tensor {
  return broadcastTo(scalar(0), t.shape);
}

export function onesLike(t: Tensor): Tensor {
  return broadcastTo(scalar(1), t.shape);
}

import { describe, expect, test } from "vitest";
import { float32, type TensorData } from "../core/tensor-data.ts";
import { grad, vjp } from "./grad.ts";
import { interpret } from "./interpret.ts";
import {
  add,
  argmax,
  cast,
  concatDynamic,
  cumulativeSum,
  exp,
  log,
  mul,
  onesLike,
  ops,
  splitPart,
  stopGradient,
  sum,
} from "./ops/index.ts";
import { input, scalar, type Tensor } from "./tensor.ts";

const x = input("x", "float32", [3]);
const z = input("z", "float32", ["n", 2]);
const feeds = { x: float32([3], [0.5, -1, 2]), z: float32([1, 2], [7, 8]) };

function evaluate(t: Tensor): TensorData {
  return interpret({ inputs: { x, z }, outputs: { t } }, feeds, { precision: "float64" }).t!;
}
const values = (t: Tensor) => Array.from(evaluate(t).data);

function expectValues(t: Tensor, expected: readonly number[]): void {
  const actual = values(t);
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 12);
}

describe("grad", () => {
  test("gradients of all paths through a shared node are summed", () => {
    const shared = exp(x);
    const [dx] = grad(sum(add(mul(shared, shared), shared)), [x]);
    expectValues(
      dx!,
      [0.5, -1, 2].map((v) => 2 * Math.exp(2 * v) + Math.exp(v)),
    );
  });

  test("an intermediate node and its source, each independent of whether the other is requested", () => {
    const between = mul(x, x);
    const loss = sum(add(exp(between), x));
    const [dBetween, dx] = grad(loss, [between, x]);
    expectValues(dBetween!, [0.25, 1, 4].map(Math.exp));
    expectValues(
      dx!,
      [0.5, -1, 2].map((v) => 2 * v * Math.exp(v * v) + 1),
    );
    expectValues(grad(loss, [loss])[0]!, [1]);
  });

  test("no gradient flows through stopGradient", () => {
    const [dx] = grad(sum(mul(x, stopGradient(exp(x)))), [x]);
    expectValues(dx!, [0.5, -1, 2].map(Math.exp));
    expectValues(grad(sum(stopGradient(x)), [x])[0]!, [0, 0, 0]);
  });

  test("gradients of all parts of a concatenated tensor are concatenated, not added", () => {
    const joined = concatDynamic([z, exp(z)], 0, "both");
    const [first, second] = [0, 1].map((part) => splitPart(joined, 0, ["n", "n"], part)) as [Tensor, Tensor];
    const [dJoined, dz] = grad(sum(add(mul(first, first), second)), [joined, z]);
    expectValues(dJoined!, [14, 16, 1, 1]);
    expectValues(
      dz!,
      [7, 8].map((v) => 2 * v + Math.exp(v)),
    );
    expect(dJoined!.op).toBe(ops.concatDynamic);
    const [twice] = grad(sum(add(first, mul(first, first))), [joined]);
    expectValues(twice!, [15, 17, 0, 0]);
  });

  test("a loss that does not depend on a tensor gives zeros of its shape", () => {
    const [dx, dz] = grad(sum(x), [x, z]);
    expectValues(dx!, [1, 1, 1]);
    expect(dz!.shape).toEqual(["n", 2]);
    expect(interpret({ inputs: { z }, outputs: { dz: dz! } }, feeds).dz).toEqual(float32([1, 2], [0, 0]));
  });

  test("gradients of gradients", () => {
    const [first] = grad(sum(mul(x, mul(x, x))), [x]);
    const [second] = grad(sum(first!), [x]);
    expectValues(second!, [3, -6, 12]);
  });

  test("a loss that is not a scalar is refused", () => {
    expect(() => grad(x, [x])).toThrow("grad: the loss must be a scalar, got [3]");
    expect(() => grad(z, [z])).toThrow("grad: the loss must be a scalar, got [n, 2]");
  });

  test("a non-differentiable op throws only where a gradient would flow through it", () => {
    expect(() => grad(sum(cumulativeSum(x)), [x])).toThrow("grad: cumulativeSum has no gradient");
    expectValues(grad(sum(mul(x, cumulativeSum(onesLike(x)))), [x])[0]!, [1, 2, 3]);
    expectValues(grad(sum(mul(x, stopGradient(cumulativeSum(x)))), [x])[0]!, [0.5, -0.5, 1.5]);
  });

  test("integers get no gradient", () => {
    expectValues(grad(cast(argmax(x), "float32"), [x])[0]!, [0, 0, 0]);
  });

  test("a graph too deep for recursion", () => {
    let y: Tensor = x;
    for (let i = 0; i < 20_000; i++) y = add(y, scalar(1));
    expectValues(grad(sum(y), [x])[0]!, [1, 1, 1]);
  });
});

describe("vjp", () => {
  test("vector-Jacobian products are summed over outputs", () => {
    const cotangents = [mul(onesLike(x), scalar(2)), scalar(3)];
    const [dx] = vjp([mul(x, x), sum(x)], cotangents, [x]);
    expectValues(dx!, [5, -1, 11]);
  });

  test("an output listed twice counts twice", () => {
    const y = mul(x, x);
    expectValues(vjp([y, y], [onesLike(y), onesLike(y)], [x])[0]!, [2, -4, 8]);
  });

  test("a cotangent of the wrong shape is an internal error", () => {
    expect(() => vjp([log(x)], [scalar(1)], [x])).toThrow("internal: the cotangent of log [3] has shape []");
  });
});

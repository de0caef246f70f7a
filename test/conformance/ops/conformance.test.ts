/** Every op against its definition: shape rule, gradient, and ONNX Runtime, for every case of the table. */
import { describe, expect, test } from "vitest";
import { concreteShape, interpret } from "../../../src/compiler/interpret.ts";
import { ops } from "../../../src/compiler/ops/index.ts";
import { type Op, type Params, type Program, topologicalOrder } from "../../../src/compiler/tensor.ts";
import { allocate, sizeOf, type TensorData } from "../../../src/core/tensor-data.ts";
import { CompiledProgram } from "../../../src/runtime/session.ts";
import { badCalls } from "./bad-calls.ts";
import { cases } from "./cases.ts";
import {
  backwardOf,
  FLOAT32,
  feed,
  forwardOf,
  gradientName,
  inputName,
  isClose,
  isFloat,
  showing,
  type Tolerance,
} from "./programs.ts";

/** Step of the central differences; for a smooth function, their error is about step². */
const STEP = 1e-5;

const EXACT: Tolerance = { relative: 0, absolute: 0 };
/** float32 constants in float64 graphs (2/√π) are off by up to 6e-8. */
const DIFFERENCES: Tolerance = { relative: 1e-6, absolute: 1e-7 };

describe.each(Object.keys(ops) as (keyof typeof ops)[])("%s", (name) => {
  const op: Op = ops[name];

  const bad = badCalls[name];
  test("a bad call reports the expected and the actual input", ({ skip }) => {
    if (bad === null) return skip("takes any tensor");
    expect(bad.call).toThrow(new Error(bad.message));
  });

  test("has a case with several run-time sizes in one session", () => {
    expect(cases[name].some(({ sizes }) => sizes !== undefined && sizes.length > 1)).toBe(true);
  });

  describe.each(cases[name])("$name", (c) => {
    const sizesToRun = c.sizes ?? [{}];
    const feeds = () => sizesToRun.map((sizes) => feed(c, sizes));

    test("shape rule = evaluation", async () => {
      const program = forwardOf(c);
      const y = program.outputs.y!;
      await showing(program, () => {
        expect(topologicalOrder([y]).map((t) => t.op)).toContain(op);
        for (const [run, fed] of feeds().entries()) {
          for (const precision of ["float32", "float64"] as const) {
            const value = interpret(program, fed, { precision }).y!;
            const dtype = y.dtype === "float32" ? precision : y.dtype;
            expect(value.dtype).toBe(dtype);
            expect(value.shape).toEqual(concreteShape(y.shape, sizesToRun[run]!));
            expect(value.data.length).toBe(sizeOf(value.shape));
            expect(value.data.constructor).toBe(allocate(dtype, 0).constructor);
          }
        }
      });
    });

    test("ONNX Runtime = interpreter", async ({ skip }) => {
      if (c.untried !== undefined) skip(c.untried);
      await compareWithRuntime(forwardOf(c), feeds(), c.refused);
    });

    const floatInputs = c.inputs.flatMap((x, i) => (isFloat(x) ? [inputName(i)] : []));
    if (floatInputs.length === 0) return;
    if (op.vjp === null) {
      test("has no gradient", () => {
        expect(() => backwardOf(c)).toThrow(new Error(`grad: ${op.name} has no gradient`));
      });
      return;
    }

    test(c.gradient ? "gradient = the documented one" : "gradient = central differences", async () => {
      const program = backwardOf(c);
      await showing(program, () => {
        for (const fed of feeds()) {
          const actual = interpret(program, fed, { precision: "float64" });
          const weights = Array.from(fed.cotangent!.data);
          const expected = c.gradient
            ? c.gradient(weights, ...floatInputs.map((x) => Array.from(fed[x]!.data)))
            : floatInputs.map((x) => centralDifferences(forwardOf(c), fed, x, weights));
          for (const [k, x] of floatInputs.entries()) {
            expect(actual[gradientName(x)]!.shape).toEqual(fed[x]!.shape);
            expectClose(actual[gradientName(x)]!.data, expected[k]!, DIFFERENCES, x);
          }
        }
      });
    });

    test("gradient in ONNX Runtime = interpreter", async ({ skip }) => {
      if (c.untried !== undefined) skip(c.untried);
      await compareWithRuntime(backwardOf(c), feeds(), c.gradientRefused);
    });
  });
});

test("a failure shows the program", async () => {
  const program = forwardOf(cases.add[0]!);
  const failing = showing(program, () => expect("this").toBe("that"));
  await expect(failing).rejects.toThrow(/expected 'this' to be 'that'.*= add\(input0, input1\) : float32/s);
});

/** d(sum of weights × y) / d(each element of one input), in float64. */
function centralDifferences(program: Program, feeds: Params<TensorData>, name: string, weights: readonly number[]) {
  const fed = feeds[name]!;
  const moved = (i: number, delta: number) => {
    const data = Float64Array.from(fed.data);
    data[i]! += delta;
    const value: TensorData = { dtype: "float64", shape: fed.shape, data };
    return interpret(program, { ...feeds, [name]: value }, { precision: "float64" }).y!.data;
  };
  return Array.from(fed.data, (_, i) => {
    const [above, below] = [moved(i, STEP), moved(i, -STEP)];
    return weights.reduce((total, weight, j) => total + (weight * (above[j]! - below[j]!)) / (2 * STEP), 0);
  });
}

/** Runs all feeds in one session and compares every output with the interpreter's. */
async function compareWithRuntime(program: Program, runs: readonly Params<TensorData>[], refused?: RegExp) {
  const attempt = async () => {
    const session = await CompiledProgram.compile(program, { threads: 1 });
    try {
      for (const feeds of runs) {
        const expected = interpret(program, feeds);
        const actual = await session.run(feeds);
        for (const [name, value] of Object.entries(expected)) {
          expect(actual[name]!.dtype).toBe(value.dtype);
          expect(actual[name]!.shape).toEqual(value.shape);
          expectClose(actual[name]!.data, value.data, isFloat(value) ? FLOAT32 : EXACT, name);
        }
      }
    } finally {
      await session.release();
    }
  };
  await showing(program, async () => {
    if (refused === undefined) await attempt();
    else await expect(attempt()).rejects.toThrow(refused);
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: Tolerance, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i]!, expected[i]!];
    expect(isClose(a, b, tolerance), `${what}[${i}]: ${a} should be ${b}`).toBe(true);
  }
}

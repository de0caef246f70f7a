/**
 * The programs of a conformance case, their feeds, the comparison of results, and error messages that show the program.
 */
import { formatProgram } from "../../../src/compiler/format.ts";
import { vjp } from "../../../src/compiler/grad.ts";
import { input, type Program, type Sizes } from "../../../src/compiler/tensor.ts";
import type { TensorData } from "../../../src/core/tensor-data.ts";
import { type Case, fill, floats } from "./case.ts";

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** For float32 programs against the interpreter. */
export const FLOAT32: Tolerance = { relative: 1e-5, absolute: 1e-6 };

export function isClose(a: number, b: number, { relative, absolute }: Tolerance): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= absolute + relative * Math.abs(b);
}

export const inputName = (i: number) => `input${i}`;
export const gradientName = (name: string) => `d_${name}`;
export const isFloat = (t: { readonly dtype: string }) => t.dtype === "float32";

/** The program of a case, with the output "y". */
export function forwardOf(c: Case): Program {
  const inputs = c.inputs.map(({ dtype, shape }, i) => input(inputName(i), dtype, shape));
  return {
    inputs: Object.fromEntries(inputs.map((t, i) => [inputName(i), t])),
    outputs: { y: c.build(...inputs) },
  };
}

/** The gradient of each float input, under its name with a prefix, from a fed cotangent. */
export function backwardOf(c: Case): Program {
  const { inputs, outputs } = forwardOf(c);
  const y = outputs.y!;
  const cotangent = input("cotangent", "float32", y.shape);
  const floatInputs = Object.entries(inputs).filter(([, t]) => isFloat(t));
  const gradients = vjp(
    [y],
    [cotangent],
    floatInputs.map(([, t]) => t),
  );
  return {
    inputs: { ...inputs, cotangent },
    outputs: Object.fromEntries(floatInputs.map(([name], k) => [gradientName(name), gradients[k]!])),
  };
}

/** All feeds of a case's programs; the forward one ignores the cotangent. */
export function feed(c: Case, sizes: Sizes): Record<string, TensorData> {
  const feeds = Object.fromEntries(c.inputs.map((x, i) => [inputName(i), fill(x, sizes, `${c.name}/${i}`)]));
  return { ...feeds, cotangent: fill(floats(forwardOf(c).outputs.y!.shape), sizes, `${c.name}/cotangent`) };
}

/** Runs `work` on a program; errors include the program's text. */
export async function showing<T>(program: Program, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error) error.message += `\n\nThe program:\n\n${formatProgram(program)}\n`;
    throw error;
  }
}

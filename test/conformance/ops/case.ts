/** Conformance cases, and ways to fill their inputs; every value is a function of the case's name and position. */

import { concreteShape } from "../../../src/compiler/interpret.ts";
import type { Dim } from "../../../src/compiler/spec.ts";
import type { Sizes, Tensor } from "../../../src/compiler/tensor.ts";
import { normal, integer as randomInteger, randomKey } from "../../../src/core/random.ts";
import { allocate, type DType, sizeOf, type TensorData } from "../../../src/core/tensor-data.ts";

export interface CaseInput {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** The value at flat position i; `seed` differs for every input of every case. */
  readonly value: (i: number, seed: string) => number;
}

export interface Case {
  readonly name: string;
  readonly inputs: readonly CaseInput[];
  readonly build: (...inputs: Tensor[]) => Tensor;
  /** Run-time sizes, all run in the same session; required if shapes have symbolic sizes. */
  readonly sizes?: readonly Sizes[];
  /**
   * The documented gradient of each float input, from the cotangent and the float inputs, where central differences
   * fail: at ties, at infinities, through stopGradient.
   */
  readonly gradient?: (cotangent: readonly number[], ...floats: readonly number[][]) => readonly (readonly number[])[];
  /** ONNX Runtime's error, or the mismatch of its result, in a case that it cannot run. */
  readonly refused?: RegExp;
  /** The same for the gradient program. */
  readonly gradientRefused?: RegExp;
  /** Why ONNX Runtime is not tried: it crashes, or leaves its output unwritten. */
  readonly untried?: string;
}

/** Standard normal values. */
export const floats = (shape: readonly Dim[], scale = 1): CaseInput => ({
  dtype: "float32",
  shape,
  value: (i, seed) => scale * normal(randomKey(7, seed), i),
});

/** Values of at least 0.3. */
export const positive = (shape: readonly Dim[]): CaseInput => ({
  dtype: "float32",
  shape,
  value: (i, seed) => 0.3 + Math.abs(normal(randomKey(7, seed), i)),
});

/** The listed values, repeated as needed. */
export const listed = (shape: readonly Dim[], values: readonly number[], dtype: DType = "float32"): CaseInput => ({
  dtype,
  shape,
  value: (i) => values[i % values.length]!,
});

/** A vector of the listed values. */
export const vector = (...values: readonly number[]): CaseInput => listed([values.length], values);

/** Random bytes. */
export const bytes = (shape: readonly Dim[]): CaseInput => ({
  dtype: "uint8",
  shape,
  value: (i, seed) => randomInteger(randomKey(7, seed), i, 256),
});

/** Integers in [0, below). */
export const indices = (shape: readonly Dim[], below: number): CaseInput => ({
  dtype: "int32",
  shape,
  value: (i, seed) => randomInteger(randomKey(7, seed), i, below),
});

/** Integers in [-9, 9]. */
export const integers = (shape: readonly Dim[]): CaseInput => ({
  dtype: "int32",
  shape,
  value: (i, seed) => randomInteger(randomKey(7, seed), i, 19) - 9,
});

export const bools = (shape: readonly Dim[]): CaseInput => ({
  dtype: "bool",
  shape,
  value: (i, seed) => randomInteger(randomKey(7, seed), i, 2),
});

/** The input's tensor for given run-time sizes. */
export function fill(input: CaseInput, sizes: Sizes, seed: string): TensorData {
  const shape = concreteShape(input.shape, sizes);
  const data = allocate(input.dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = input.value(i, seed);
  return { dtype: input.dtype, shape, data };
}

/** A tensor's static type: dtype and shape. */
import type { DType } from "../core/tensor-data.ts";

/** A size: a number, or the name of one known only at run time ("tokens"), a symbolic size. */
export type Dim = number | string;

export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** "[tokens, 256]" */
export function formatShape(shape: readonly Dim[]): string {
  return `[${shape.join(", ")}]`;
}

export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

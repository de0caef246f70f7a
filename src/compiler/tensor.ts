/** The graph: a tensor is an immutable node (an op applied to tensors), a program is its named outputs. */
import type { DType, TensorData } from "../core/tensor-data.ts";
import type { OnnxGraph } from "./onnx/graph.ts";
import type { Dim, TensorSpec } from "./spec.ts";

// biome-ignore lint/suspicious/noExplicitAny: attrs are erased where nodes of different ops meet
export interface Tensor<A = any> extends TensorSpec {
  readonly op: Op<A>;
  readonly inputs: readonly Tensor[];
  readonly attrs: A;
}

/** One operation: shape rule, reference evaluation, gradient and ONNX lowering. */
// biome-ignore lint/suspicious/noExplicitAny: see Tensor
export interface Op<A = any> {
  readonly name: string;
  /** Output dtype and shape; throws an error with the expected and actual values when the inputs do not fit. */
  infer(inputs: readonly TensorSpec[], attrs: A): TensorSpec;
  /** The reference semantics: slow and exact; float64 in, float64 out. */
  evaluate(inputs: readonly TensorData[], attrs: A, sizes: Sizes): TensorData;
  /** Cotangents of the inputs (null where none flows), or null for a non-differentiable op. */
  readonly vjp: ((y: Tensor<A>, cotangent: Tensor) => readonly (Tensor | null)[]) | null;
  /** Emits ONNX nodes and returns the name of the value. */
  lower(y: Tensor<A>, inputs: readonly string[], onnx: OnnxGraph): string;
}

/** Run-time values of symbolic sizes. */
export type Sizes = Readonly<Record<string, number>>;

/** Tensors by name, e.g. weights keyed by their Hugging Face names. */
export type Params<T> = Readonly<Record<string, T>>;

/** A graph with named feeds and fetches. */
export interface Program {
  readonly inputs: Params<Tensor>;
  readonly outputs: Params<Tensor>;
}

/** Applies an op; the only way to create a node. */
export function apply<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A): Tensor<A> {
  const { dtype, shape } = op.infer(inputs, attrs);
  return { op, inputs, attrs, dtype, shape };
}

/** A value fed at run time. */
export function input(name: string, dtype: DType, shape: readonly Dim[]): Tensor<InputAttrs> {
  return apply(inputOp, [], { name, dtype, shape });
}

/** A value stored in the program. */
export function constant(data: TensorData): Tensor<TensorData> {
  return apply(constantOp, [], data);
}

/** A float32 scalar constant. */
export function scalar(value: number): Tensor<TensorData> {
  return constant({ dtype: "float32", shape: [], data: Float32Array.of(value) });
}

export interface InputAttrs {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export const inputOp: Op<InputAttrs> = {
  name: "input",
  infer: (_, { dtype, shape }) => ({ dtype, shape }),
  evaluate: () => {
    throw new Error("internal: an input has no value of its own");
  },
  vjp: () => [],
  lower: (y) => y.attrs.name,
};

export const constantOp: Op<TensorData> = {
  name: "constant",
  infer: (_, { dtype, shape }) => ({ dtype, shape }),
  evaluate: (_, data) => data,
  vjp: () => [],
  lower: (y, _, onnx) => onnx.constant(y.attrs),
};

export function isScalarConstant(t: Tensor): boolean {
  return t.op === constantOp && t.shape.length === 0;
}

/** All nodes that the outputs depend on, inputs before users. */
export function topologicalOrder(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack: { node: Tensor; next: number }[] = [];
  for (const root of outputs) {
    if (!seen.has(root)) {
      seen.add(root);
      stack.push({ node: root, next: 0 });
    }
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const child = top.node.inputs[top.next++];
      if (child === undefined) {
        order.push(top.node);
        stack.pop();
      } else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ node: child, next: 0 });
      }
    }
  }
  return order;
}

/** The reference interpreter: evaluates a program node by node, in float64 on request. */
import { allocate, type TensorData } from "../core/tensor-data.ts";
import { type Dim, formatShape } from "./spec.ts";
import { inputOp, type Params, type Program, type Tensor, topologicalOrder } from "./tensor.ts";

/** Evaluates all outputs; `precision: "float64"` widens every float input and constant first. */
export function interpret(
  program: Program,
  feeds: Params<TensorData>,
  o: { readonly precision?: "float32" | "float64" } = {},
): Record<string, TensorData> {
  const widen = (t: TensorData): TensorData =>
    o.precision === "float64" && t.dtype === "float32"
      ? { dtype: "float64", shape: t.shape, data: Float64Array.from(t.data) }
      : t;
  const sizes: Record<string, number> = {};
  for (const [name, tensor] of Object.entries(program.inputs)) {
    const fed = feeds[name];
    if (fed !== undefined) bindSizes(name, tensor.shape, fed.shape, sizes);
  }
  const values = new Map<Tensor, TensorData>();
  for (const tensor of topologicalOrder(Object.values(program.outputs))) {
    if (tensor.op === inputOp) {
      const fed = feeds[tensor.attrs.name];
      if (fed === undefined) throw new Error(`interpret: input "${tensor.attrs.name}" was not fed`);
      values.set(tensor, widen(fed));
      continue;
    }
    const inputs = tensor.inputs.map((t) => values.get(t)!);
    const value = widen(tensor.op.evaluate(inputs, tensor.attrs, sizes));
    bindSizes(tensor.op.name, tensor.shape, value.shape, sizes);
    values.set(tensor, value);
  }
  return Object.fromEntries(Object.entries(program.outputs).map(([name, tensor]) => [name, values.get(tensor)!]));
}

/** Checks a concrete shape against a declared one and binds its symbolic sizes. */
export function bindSizes(
  what: string,
  declared: readonly Dim[],
  actual: readonly number[],
  sizes: Record<string, number>,
): void {
  const fits =
    declared.length === actual.length &&
    declared.every((dim, i) => {
      if (typeof dim === "number") return dim === actual[i];
      sizes[dim] ??= actual[i]!;
      return sizes[dim] === actual[i];
    });
  if (!fits) {
    const known = Object.entries(sizes).map(([name, size]) => `${name} = ${size}`);
    throw new Error(
      `${what}: expected shape ${formatShape(declared)}, got ${formatShape(actual)} (${known.join(", ")})`,
    );
  }
}

/** The concrete form of a declared shape. */
export function concreteShape(shape: readonly Dim[], sizes: Readonly<Record<string, number>>): number[] {
  return shape.map((dim) => {
    const size = typeof dim === "number" ? dim : sizes[dim];
    if (size === undefined) throw new Error(`internal: the size "${dim}" is not known`);
    return size;
  });
}

/** An output array of the widest float kind among the inputs, else of `fallback`. */
export function floatLike(inputs: readonly TensorData[], size: number) {
  return allocate(inputs.some((t) => t.dtype === "float64") ? "float64" : "float32", size);
}

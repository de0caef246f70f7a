/** Lowers a program to a serialised ONNX model, with common subexpression and dead code elimination. */
import { constantOp, inputOp, type Program, type Tensor, topologicalOrder } from "../tensor.ts";
import { type ExternalData, OnnxGraph } from "./graph.ts";

/** What an ONNX Runtime session is created from. */
export interface LoweredProgram {
  readonly model: Uint8Array;
  /** Large constants, stored outside the model. */
  readonly external: readonly ExternalData[];
}

/** The ONNX model of a program. */
export function lower(program: Program): LoweredProgram {
  const { onnx } = writeGraph(program);
  return { model: onnx.finish(), external: onnx.external };
}

export interface WrittenGraph {
  readonly onnx: OnnxGraph;
  /** Names of the nodes' values in the ONNX graph; common subexpressions share one. */
  readonly values: ReadonlyMap<Tensor, string>;
  /** For each ONNX value, the node of the program that emitted it. */
  readonly makers: ReadonlyMap<string, Tensor>;
}

/** Emits a program into an ONNX graph. */
export function writeGraph(program: Program): WrittenGraph {
  const onnx = new OnnxGraph();
  const order = topologicalOrder(Object.values(program.outputs));
  const fed = new Set(usedInputs(program));
  for (const [name, tensor] of Object.entries(program.inputs)) {
    if (tensor.op !== inputOp || tensor.attrs.name !== name) throw new Error(`internal: "${name}" is not that input`);
    if (fed.has(name)) onnx.input(name, tensor);
  }
  const values = new Map<Tensor, string>();
  const merged = new Map<string, string>();
  const makers = new Map<string, Tensor>();
  for (const tensor of order) {
    if (tensor.op === inputOp && program.inputs[tensor.attrs.name] !== tensor) {
      throw new Error(`internal: the program uses the input "${tensor.attrs.name}" but does not declare it`);
    }
    const inputs = tensor.inputs.map((t) => values.get(t)!);
    const key = tensor.op === constantOp ? null : `${tensor.op.name}(${inputs.join()})${JSON.stringify(tensor.attrs)}`;
    const known = key === null ? undefined : merged.get(key);
    const before = onnx.nodes.length;
    const name = known ?? tensor.op.lower(tensor, inputs, onnx);
    for (const { outputs } of onnx.nodes.slice(before)) for (const output of outputs) makers.set(output, tensor);
    if (key !== null) merged.set(key, name);
    values.set(tensor, name);
    onnx.registerSizes(name, tensor.shape);
  }
  for (const [name, tensor] of Object.entries(program.outputs)) {
    onnx.output(name, tensor, values.get(tensor)!);
  }
  return { onnx, values, makers };
}

/**
 * Names of the declared inputs that the outputs depend on, for their values or for a symbolic size that only they
 * provide.
 */
export function usedInputs(program: Program): string[] {
  const order = topologicalOrder(Object.values(program.outputs));
  const used = new Set(order);
  const missing = new Set(order.flatMap(namedSizes));
  const found = (tensor: Tensor) => {
    for (const name of namedSizes(tensor)) missing.delete(name);
  };
  for (const tensor of order) if (tensor.op === inputOp) found(tensor);
  for (const tensor of Object.values(program.inputs)) {
    if (namedSizes(tensor).some((name) => missing.has(name))) {
      used.add(tensor);
      found(tensor);
    }
  }
  return Object.entries(program.inputs)
    .filter(([, tensor]) => used.has(tensor))
    .map(([name]) => name);
}

const namedSizes = (tensor: Tensor) => tensor.shape.filter((dim) => typeof dim === "string");

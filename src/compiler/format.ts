/** Programs as text, one line per input, node and output; nodes are numbered in evaluation order. */
import type { TensorData } from "../core/tensor-data.ts";
import { usedInputs } from "./onnx/lower.ts";
import { formatShape, type TensorSpec } from "./spec.ts";
import { constantOp, inputOp, isScalarConstant, type Program, type Tensor, topologicalOrder } from "./tensor.ts";

/** Names of nodes in a listing: inputs by name, scalar constants by value, all others by number ("%3"). */
export type NodeNames = ReadonlyMap<Tensor, string>;

/** Number of leading values shown for a constant. */
const SHOWN_VALUES = 4;

/**
 * The program as text. A shared node appears once; a constant shows its shape and first values; attributes that are false
 * or repeat the result's shape are omitted.
 *
 *     inputs
 *       x : float32[rows, 512]
 *       weights.q : float32[512, 512]
 *     nodes
 *       %0 = matmul(x, weights.q) {transposeB} : float32[rows, 512]
 *       %1 = mul(%0, 0.125) : float32[rows, 512]
 *     outputs
 *       y = %1
 */
export function formatProgram(program: Program): string {
  const names = nameNodes(program);
  const used = new Set(usedInputs(program));
  const inputs = Object.keys(program.inputs).map(
    (name) => `${formatInput(program, name)}${used.has(name) ? "" : "  // unused"}`,
  );
  const nodes = numberedNodes(program).map((node) => formatNode(node, names));
  const outputs = Object.keys(program.outputs).map((name) => formatOutput(program, name, names));
  const sections = Object.entries({ inputs, nodes, outputs }).filter(([, lines]) => lines.length > 0);
  return sections.map(([title, lines]) => [title, ...lines.map((line) => `  ${line}`)].join("\n")).join("\n");
}

/** The nodes that a listing numbers, in topological order: all but declared inputs and scalar constants. */
export function numberedNodes(program: Program): Tensor[] {
  return topologicalOrder(Object.values(program.outputs)).filter((node) => ownName(program, node) === null);
}

/** Names for all nodes of a program. */
export function nameNodes(program: Program): NodeNames {
  let next = 0;
  const order = topologicalOrder(Object.values(program.outputs));
  return new Map(order.map((node) => [node, ownName(program, node) ?? `%${next++}`]));
}

/** The name of a node that needs no number, or null. */
export function ownName(program: Program, node: Tensor): string | null {
  if (node.op === inputOp && program.inputs[node.attrs.name] === node) return node.attrs.name;
  if (!isScalarConstant(node)) return null;
  const value = formatValue(node.attrs, 0);
  return node.dtype === "float32" ? value : `${node.dtype}(${value})`;
}

/** "%3 = matmul(%1, weights.q) {transposeB} : float32[rows, 512]" */
export function formatNode(node: Tensor, names: NodeNames): string {
  return `${names.get(node)} = ${formatCall(node, names)}${formatAttributes(node)} : ${formatSpec(node)}`;
}

/** "matmul(%1, weights.q)" */
export function formatCall({ op, inputs, attrs }: Tensor, names: NodeNames): string {
  if (op === constantOp) return `constant ${formatConstant(attrs)}`;
  return `${op.name}(${inputs.map((t) => names.get(t)).join(", ")})`;
}

/** " {transposeB, axis: 1}", or nothing. */
export function formatAttributes({ op, attrs, dtype, shape }: Tensor): string {
  if (op === constantOp || attrs === null) return "";
  const result: Readonly<Record<string, unknown>> = { dtype, shape };
  const shown = Object.entries(attrs).filter(
    ([key, value]) => value !== false && value != null && formatAttribute(value) !== formatAttribute(result[key]),
  );
  if (shown.length === 0) return "";
  return ` {${shown.map(([key, value]) => (value === true ? key : `${key}: ${formatAttribute(value)}`)).join(", ")}}`;
}

/** "weights.q : float32[512, 512]" */
export function formatInput(program: Program, name: string): string {
  return `${name} : ${formatSpec(program.inputs[name]!)}`;
}

/** "y = %4" */
export function formatOutput(program: Program, name: string, names: NodeNames): string {
  return `${name} = ${names.get(program.outputs[name]!)}`;
}

/** "float32[rows, 512]" */
export function formatSpec({ dtype, shape }: TensorSpec): string {
  return `${dtype}${formatShape(shape)}`;
}

const formatAttribute = (value: unknown) => (Array.isArray(value) ? `[${value.join(", ")}]` : String(value));

function formatConstant(data: TensorData): string {
  const count = data.data.length;
  const values = Array.from({ length: Math.min(count, SHOWN_VALUES) }, (_, i) => formatValue(data, i));
  return `[${[...values, ...(count > SHOWN_VALUES ? ["…"] : [])].join(", ")}]`;
}

/** A number with as few digits as identify it uniquely at its precision (float32 or float64). */
function formatValue({ dtype, data }: TensorData, i: number): string {
  const value = data[i]!;
  if (dtype !== "float32" || Object.is(value, -0)) return Object.is(value, -0) ? "-0" : String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

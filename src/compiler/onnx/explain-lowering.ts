/** Explains as text what the lowering does to a program's nodes, derived from the ONNX graph it emits. */
import { formatNode, type NodeNames, numberedNodes } from "../format.ts";
import { constantOp, type Program, type Tensor } from "../tensor.ts";
import type { OnnxNode } from "./graph.ts";
import { writeGraph } from "./lower.ts";

/**
 * Lists common subexpressions, dead nodes, and nodes that read past a reshape to its input; then counts the emitted
 * ONNX nodes by operator.
 */
export function explainLowering(program: Program, names: NodeNames): string {
  const { onnx, values, makers } = writeGraph(program);
  const written = onnx.usedNodes();
  const used = new Set(written);
  const producers = new Map(onnx.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const owners = new Map<string, Tensor>(makers);
  for (const [tensor, value] of [...values].reverse()) owners.set(value, tensor);

  const equal: string[] = [];
  const dead: string[] = [];
  const past: string[] = [];
  const nodes = numberedNodes(program);
  for (const tensor of nodes) {
    const value = values.get(tensor)!;
    const producer = producers.get(value);
    const line = formatNode(tensor, names);
    const owner = owners.get(value)!;
    if (owner !== tensor) equal.push(`- ${line}  // same as ${names.get(owner)}`);
    else if (tensor.op === constantOp || producer === undefined) continue;
    else if (!used.has(producer)) {
      // An op that ends in a reshape is emitted even where its consumer reads past that reshape.
      if (makers.get(sourceOf(producer)) !== tensor) dead.push(`- ${line}`);
    } else if (producer.opType === "Reshape") {
      const source = owners.get(sourceOf(producer));
      const reads = source !== undefined && source !== tensor && !tensor.inputs.includes(source);
      if (reads) past.push(`~ ${line}  // reads ${names.get(source)}`);
    }
  }
  const left = nodes.length - equal.length - dead.length;
  const counts = `${equal.length} common subexpressions, ${dead.length} dead, ${past.length} reading past reshapes`;
  return [
    `lowering: ${nodes.length} -> ${left} nodes: ${counts}`,
    ...[...equal, ...dead, ...past].map((line) => `  ${line}`),
    `  ONNX nodes: ${written.length}: ${tallyOf(written)}`,
  ].join("\n");
}

const sourceOf = ({ inputs }: OnnxNode) => inputs[0]!;

/** "Add 2, MatMul 4" */
function tallyOf(nodes: readonly OnnxNode[]): string {
  const counts: Record<string, number> = {};
  for (const { opType } of nodes) counts[opType] = (counts[opType] ?? 0) + 1;
  const kinds = Object.keys(counts).sort();
  return kinds.map((opType) => `${opType} ${counts[opType]}`).join(", ");
}

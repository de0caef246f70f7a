/** What the lowering makes of a program's nodes, as text, read off the graph that it writes. */
import { formatNode, type NodeNames, numberedNodes } from "../format.ts";
import { constantOp, type Program, type Tensor } from "../tensor.ts";
import type { OnnxNode } from "./graph.ts";
import { writeGraph } from "./lower.ts";

/**
 * Which nodes equal an earlier one, which are not written because nothing reads them any more, and which read what a
 * reshape before them reads; then how many ONNX nodes there are of each kind.
 */
export function explainLowering(program: Program, names: NodeNames): string {
  const { onnx, values, makers } = writeGraph(program);
  const written = onnx.usedNodes();
  const used = new Set(written);
  const producers = new Map(onnx.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const owners = new Map<string, Tensor>(makers);
  for (const [tensor, value] of [...values].reverse()) owners.set(value, tensor);

  const equal: string[] = [];
  const unread: string[] = [];
  const through: string[] = [];
  const nodes = numberedNodes(program);
  for (const tensor of nodes) {
    const value = values.get(tensor)!;
    const producer = producers.get(value);
    const line = formatNode(tensor, names);
    const owner = owners.get(value)!;
    if (owner !== tensor) equal.push(`- ${line}  // equals ${names.get(owner)}`);
    else if (tensor.op === constantOp || producer === undefined) continue;
    else if (!used.has(producer)) {
      // An op that ends in a reshape of its own is written, even where what reads it reads through that.
      if (makers.get(sourceOf(producer)) !== tensor) unread.push(`- ${line}`);
    } else if (producer.opType === "Reshape") {
      const source = owners.get(sourceOf(producer));
      const reads = source !== undefined && source !== tensor && !tensor.inputs.includes(source);
      if (reads) through.push(`~ ${line}  // reads ${names.get(source)}`);
    }
  }
  const left = nodes.length - equal.length - unread.length;
  const counts = `${equal.length} equal, ${unread.length} unread, ${through.length} through reshapes`;
  return [
    `lowering: ${nodes.length} -> ${left} nodes: ${counts}`,
    ...[...equal, ...unread, ...through].map((line) => `  ${line}`),
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

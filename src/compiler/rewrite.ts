/** Rewrites graphs: the same outputs with some nodes replaced; what no replacement touches stays the same node. */
import { matmulOp, withFewLines } from "./ops/matmul.ts";
import { apply, inputOp, type Params, type Program, type Tensor, topologicalOrder } from "./tensor.ts";

/** The outputs with every node replaced for which `replace` (called inputs first, with rewritten inputs) gives another. */
export function rewrite(
  outputs: Params<Tensor>,
  replace: (original: Tensor, rewritten: Tensor) => Tensor,
): Record<string, Tensor> {
  const done = new Map<Tensor, Tensor>();
  for (const node of topologicalOrder(Object.values(outputs))) {
    const inputs = node.inputs.map((t) => done.get(t)!);
    const same = inputs.every((t, i) => t === node.inputs[i]);
    done.set(node, replace(node, same ? node : apply(node.op, inputs, node.attrs)));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, done.get(tensor)!]));
}

/** The program for inputs of few lines: products with a fed weight pack the lines, not the weight, at every run. */
export function forFewLines(program: Program): Program {
  const outputs = rewrite(program.outputs, (_, node) =>
    node.op === matmulOp && node.inputs[1]!.op === inputOp ? withFewLines(node) : node,
  );
  return { inputs: program.inputs, outputs };
}

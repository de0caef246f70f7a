/** Rewrites graphs: the same outputs with some nodes replaced; what no replacement touches stays the same node. */
import { matmulOp, withFewLines } from "./ops/matmul.ts";
import { apply, inputOp, type Op, type Params, type Program, type Tensor, topologicalOrder } from "./tensor.ts";

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

/**
 * Nodes of the forward graph of `y` that its gradients need and that are worth keeping: those of `kept` ops, met first on
 * the way from the gradients. What else the gradients need of the forward graph is cheap to compute again from these.
 */
export function worthKeeping(y: Tensor, gradients: readonly Tensor[], kept: ReadonlySet<Op>): Tensor[] {
  const forward = new Set(topologicalOrder([y]));
  const found = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const stack = [...gradients];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (forward.has(node) && kept.has(node.op)) found.add(node);
    else stack.push(...node.inputs);
  }
  return [...forward].filter((node) => found.has(node));
}

/** The program for inputs of few lines: products with a fed weight pack the lines, not the weight, at every run. */
export function forFewLines(program: Program): Program {
  const outputs = rewrite(program.outputs, (_, node) =>
    node.op === matmulOp && node.inputs[1]!.op === inputOp ? withFewLines(node) : node,
  );
  return { inputs: program.inputs, outputs };
}

/** Rewrites graphs: the same outputs with some nodes replaced; what no replacement touches stays the same node. */
import type { TensorData } from "../core/tensor-data.ts";
import { addOp } from "./ops/elementwise.ts";
import { gather, gatherOp } from "./ops/gather.ts";
import { fitsFewLines, matmulOp, withFewLines } from "./ops/matmul.ts";
import { dequantize, dequantizeOp, quantizedMatmul } from "./ops/quantized.ts";
import { reshapeOp } from "./ops/shape.ts";
import {
  apply,
  constant,
  constantOp,
  inputOp,
  type Op,
  type Params,
  type Program,
  type Tensor,
  topologicalOrder,
} from "./tensor.ts";

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
 * The program with its quantised weights where they are cheapest: rows are looked up before they are made floats, and
 * with `constants` (bytes and scales by input name) products take the integers themselves, held by the program.
 */
export function withQuantizedWeights(program: Program, constants: Params<TensorData> | null = null): Program {
  const held = new Map(
    Object.entries(constants ?? {}).flatMap(([name, data]) => {
      const t = program.inputs[name];
      return t === undefined ? [] : [[t, constant(data)] as const];
    }),
  );
  const outputs = rewrite(program.outputs, (original, node) => {
    const [x, weight] = node.inputs;
    if (node.op === gatherOp && x!.op === dequantizeOp) {
      const [packed, scales] = x!.inputs as [Tensor, Tensor];
      return dequantize(gather(packed, weight!), gather(scales, weight!), x!.attrs.bits);
    }
    if (node.op === matmulOp && weight!.op === dequantizeOp && isConstant(weight!.inputs[0]!) && fitsFewLines(node)) {
      return quantizedMatmul(x!, weight!.inputs[0]!, weight!.inputs[1]!, weight!.attrs.bits);
    }
    return held.get(original) ?? node;
  });
  const inputs = Object.entries(program.inputs).filter(([, t]) => !held.has(t));
  return { inputs: Object.fromEntries(inputs), outputs };
}

const isConstant = (t: Tensor) => t.op === constantOp;

/**
 * Nodes of the forward graph of `y` that its gradients need and that are worth keeping: those of `kept` ops, met first on
 * the way from the gradients, and in place of several that are added up only their sum. What else the gradients need of the
 * forward graph is cheap to compute again from these.
 */
export function worthKeeping(y: Tensor, gradients: readonly Tensor[], kept: ReadonlySet<Op>): Tensor[] {
  const forward = new Set(topologicalOrder([y]));
  const isKept = (node: Tensor) => kept.has(node.op) || isSumOf(node, kept);
  const found = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const stack = [...gradients];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (forward.has(node) && isKept(node)) found.add(node);
    else stack.push(...node.inputs);
  }
  return [...forward].filter((node) => found.has(node));
}

/** Whether it adds up results of several of the ops, in their own or another shape. */
function isSumOf(node: Tensor, ops: ReadonlySet<Op>): boolean {
  return node.op === addOp && summands(node).filter(({ op }) => ops.has(op)).length > 1;
}

function summands(node: Tensor): readonly Tensor[] {
  return node.op === addOp || node.op === reshapeOp ? node.inputs.flatMap(summands) : [node];
}

/** The program for inputs of few lines: products with a fed weight pack the lines, not the weight, at every run. */
export function forFewLines(program: Program): Program {
  const outputs = rewrite(program.outputs, (_, node) =>
    node.op === matmulOp && node.inputs[1]!.op === inputOp ? withFewLines(node) : node,
  );
  return { inputs: program.inputs, outputs };
}

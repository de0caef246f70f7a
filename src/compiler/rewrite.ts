/** Rewrites graphs: the same outputs with some nodes replaced; what no replacement touches stays the same node. */
import type { TensorData } from "../core/tensor-data.ts";
import { splitPartOp } from "./ops/concat-dynamic.ts";
import { addOp, elementwiseOps } from "./ops/elementwise.ts";
import { gather, gatherOp } from "./ops/gather.ts";
import { loraMatmulOp } from "./ops/lora-matmul.ts";
import { fitsSmallBatch, matmulOp, withSmallBatch } from "./ops/matmul.ts";
import { dequantize, dequantizeOp, quantizedMatmul } from "./ops/quantized.ts";
import { reshapeOp, transpose, transposeOp } from "./ops/shape.ts";
import {
  apply,
  constant,
  constantOp,
  inputOp,
  isScalarConstant,
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
    if (node.op === matmulOp && weight!.op === dequantizeOp && isConstant(weight!.inputs[0]!) && fitsSmallBatch(node)) {
      return quantizedMatmul(x!, weight!.inputs[0]!, weight!.inputs[1]!, weight!.attrs.bits);
    }
    return held.get(original) ?? node;
  });
  const inputs = Object.entries(program.inputs).filter(([, t]) => !held.has(t));
  return { inputs: Object.fromEntries(inputs), outputs };
}

const isConstant = (t: Tensor) => t.op === constantOp;

/**
 * Nodes of the forward graph of `y` that its gradients need and that are worth keeping: products of which each number costs
 * more to compute again than to keep, met first on the way from the gradients, and in place of such a product and what is
 * added to it only their sum. What else the gradients need of the forward graph is cheap to compute again from these.
 */
export function selectSavedActivations(y: Tensor, gradients: readonly Tensor[]): Tensor[] {
  const forward = new Set(topologicalOrder([y]));
  const found = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const stack = [...gradients];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (forward.has(node) && (isCostly(node) || isCostlySum(node))) found.add(node);
    else stack.push(...node.inputs);
  }
  return [...forward].filter((node) => found.has(node));
}

/**
 * A number of a product of this inner size takes as long to compute as to keep; measured with all weights trained (LOG.md,
 * 2026-11-28).
 */
const COSTLY_INNER_SIZE = 256;
const productOps: ReadonlySet<Op> = new Set<Op>([matmulOp, loraMatmulOp]);

function isCostly({ op, inputs, attrs }: Tensor): boolean {
  if (!productOps.has(op)) return false;
  const inner = inputs[0]!.shape.at(attrs?.transposeA ? -2 : -1);
  return typeof inner === "number" && inner >= COSTLY_INNER_SIZE;
}

/** Whether it adds up products, in their own or another shape, one of them costly. */
function isCostlySum(node: Tensor): boolean {
  const parts = node.op === addOp ? summands(node) : [];
  return parts.some(isCostly) && parts.filter(({ op }) => productOps.has(op)).length > 1;
}

function summands(node: Tensor): readonly Tensor[] {
  return node.op === addOp || node.op === reshapeOp ? node.inputs.flatMap(summands) : [node];
}

/**
 * The program for inputs of few rows: a product with a fed weight packs the rows, not the weight, and leaves a column for
 * every row. What is then computed number by number stays in columns, up to the next product or whatever needs rows.
 */
export function forSmallBatch(program: Program): Program {
  const outputs = rewrite(program.outputs, (_, node) => {
    if (node.op === matmulOp && node.inputs[1]!.op === inputOp) return withSmallBatch(node);
    return inColumns(node);
  });
  return { inputs: program.inputs, outputs };
}

/** A node that works number by number on transposed matrices, or parts one by columns, before the transposition. */
function inColumns(node: Tensor): Tensor {
  const isColumns = (t: Tensor) => t.op === transposeOp && t.shape.length === 2;
  const { op, inputs, attrs } = node;
  if (op === splitPartOp && isColumns(inputs[0]!)) {
    return transpose(apply(splitPartOp, inputs[0]!.inputs, { ...attrs, axis: 1 - attrs.axis }), [1, 0]);
  }
  if (!elementwiseOps.has(op) || !inputs.every((t) => isColumns(t) || isScalarConstant(t))) return node;
  if (!inputs.some(isColumns)) return node;
  const before = inputs.map((t) => (isColumns(t) ? t.inputs[0]! : t));
  return transpose(apply(op, before, attrs), [1, 0]);
}

/** Rewrites graphs: the same outputs with some nodes replaced; unaffected nodes keep their identity. */
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

/**
 * The outputs with every node replaced for which `replace` returns another; it is called in topological order, with
 * rewritten inputs.
 */
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
 * The program with quantised weights where they are cheapest: rows are gathered before they are dequantised. With
 * `integers` matmuls use the integer weights directly: those given (bytes and scales by input name), which the program then
 * holds as constants, or, where they are "fed", all.
 */
export function withQuantizedWeights(program: Program, integers: Params<TensorData> | "fed" | null = null): Program {
  const held = new Map(
    Object.entries(integers === "fed" ? {} : (integers ?? {})).flatMap(([name, data]) => {
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
    const isDirect = weight?.op === dequantizeOp && (integers === "fed" || isConstant(weight.inputs[0]!));
    if (node.op === matmulOp && isDirect && fitsSmallBatch(node)) {
      return quantizedMatmul(x!, weight!.inputs[0]!, weight!.inputs[1]!, weight!.attrs.bits);
    }
    return held.get(original) ?? node;
  });
  const inputs = Object.entries(program.inputs).filter(([, t]) => !held.has(t));
  return { inputs: Object.fromEntries(inputs), outputs };
}

const isConstant = (t: Tensor) => t.op === constantOp;

/**
 * The activations of the forward graph of `y` to save for its gradients: matmuls whose elements cost more to recompute
 * than to keep, as first reached when walking back from the gradients. Where such a matmul is only an operand of a sum
 * of matmuls, the sum is saved instead. Everything else that the gradients need is cheap to recompute from these.
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
 * From this inner size on, recomputing an element of a matmul takes as long as keeping it; measured with all weights
 * trained (LOG.md, 2026-11-28).
 */
const COSTLY_INNER_SIZE = 256;
const matmulOps: ReadonlySet<Op> = new Set<Op>([matmulOp, loraMatmulOp]);

function isCostly({ op, inputs, attrs }: Tensor): boolean {
  if (!matmulOps.has(op)) return false;
  const inner = inputs[0]!.shape.at(attrs?.transposeA ? -2 : -1);
  return typeof inner === "number" && inner >= COSTLY_INNER_SIZE;
}

/** Whether it is a sum of matmuls, possibly reshaped, at least one of them costly. */
function isCostlySum(node: Tensor): boolean {
  const parts = node.op === addOp ? summands(node) : [];
  return parts.some(isCostly) && parts.filter(({ op }) => matmulOps.has(op)).length > 1;
}

function summands(node: Tensor): readonly Tensor[] {
  return node.op === addOp || node.op === reshapeOp ? node.inputs.flatMap(summands) : [node];
}

/**
 * The program for inputs of few rows: a matmul with a fed weight packs its rows instead of the weight and yields a
 * transposed result. Element-wise ops then stay transposed up to the next matmul or any op that needs plain rows.
 */
export function forSmallBatch(program: Program): Program {
  const outputs = rewrite(program.outputs, (_, node) => {
    if (node.op === matmulOp && node.inputs[1]!.op === inputOp) return withSmallBatch(node);
    return sinkTranspose(node);
  });
  return { inputs: program.inputs, outputs };
}

/** Moves an element-wise op on transposed matrices, or a split of one, before the transpose. */
function sinkTranspose(node: Tensor): Tensor {
  const isTransposed = (t: Tensor) => t.op === transposeOp && t.shape.length === 2;
  const { op, inputs, attrs } = node;
  if (op === splitPartOp && isTransposed(inputs[0]!)) {
    return transpose(apply(splitPartOp, inputs[0]!.inputs, { ...attrs, axis: 1 - attrs.axis }), [1, 0]);
  }
  if (!elementwiseOps.has(op) || !inputs.every((t) => isTransposed(t) || isScalarConstant(t))) return node;
  if (!inputs.some(isTransposed)) return node;
  const before = inputs.map((t) => (isTransposed(t) ? t.inputs[0]! : t));
  return transpose(apply(op, before, attrs), [1, 0]);
}

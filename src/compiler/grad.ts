/** Reverse-mode differentiation: adds the gradient nodes of a scalar, or of outputs with cotangents, to the graph. */

import { addConcatenated } from "./ops/concat-dynamic.ts";
import { onesLike, zerosLike } from "./ops/index.ts";
import { formatShape, sameShape } from "./spec.ts";
import { type Tensor, topologicalOrder } from "./tensor.ts";

/** Gradients of a scalar loss with respect to each tensor of `wrt`; zeros where the loss does not depend on it. */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw new Error(`grad: the loss must be a scalar, got ${formatShape(loss.shape)}`);
  return vjp([loss], [onesLike(loss)], wrt);
}

/** Vector-Jacobian products, summed over outputs, with respect to each tensor of `wrt`. */
export function vjp(outputs: readonly Tensor[], cotangents: readonly Tensor[], wrt: readonly Tensor[]): Tensor[] {
  const order = topologicalOrder(outputs);
  const needed = new Set<Tensor>(wrt);
  for (const node of order) if (node.inputs.some((t) => needed.has(t))) needed.add(node);
  const accumulated = new Map<Tensor, Tensor>();
  const accumulate = (node: Tensor, cotangent: Tensor) => {
    if (!sameShape(node.shape, cotangent.shape)) {
      throw new Error(
        `internal: the cotangent of ${node.op.name} ${formatShape(node.shape)} has shape ${formatShape(cotangent.shape)}`,
      );
    }
    const sum = accumulated.get(node);
    accumulated.set(node, sum === undefined ? cotangent : addConcatenated(sum, cotangent));
  };
  for (const [i, output] of outputs.entries()) accumulate(output, cotangents[i]!);
  for (const node of order.reverse()) {
    const cotangent = accumulated.get(node);
    if (cotangent === undefined || !needed.has(node) || !node.inputs.some((t) => needed.has(t))) continue;
    if (node.op.vjp === null) throw new Error(`grad: ${node.op.name} has no gradient`);
    for (const [i, contribution] of node.op.vjp(node, cotangent).entries()) {
      const source = node.inputs[i]!;
      if (contribution !== null && needed.has(source)) accumulate(source, contribution);
    }
  }
  return wrt.map((tensor) => accumulated.get(tensor) ?? zerosLike(tensor));
}

/** The squared inputs of every linear layer of a block, summed over its rows: what pruning by Wanda weighs weights with. */
import { mul, sum } from "../../compiler/ops/index.ts";
import { inputOp, type Program, type Tensor, topologicalOrder } from "../../compiler/tensor.ts";

/** Prefix of the outputs with sums [in], by the layer's weight. */
export const SQUARES = "squares.";

/** A forward program that also sums the squares of each layer's input: of every matmul by a weight [out, in]. */
export function withSquaredInputs({ inputs, outputs }: Program): Program {
  const squares: Record<string, Tensor> = {};
  for (const node of topologicalOrder(Object.values(outputs))) {
    const [x, weight] = node.inputs;
    if (node.op.name !== "matmul" || !node.attrs.transposeB || weight?.op !== inputOp) continue;
    const name: string = weight.attrs.name;
    if (name.endsWith(".weight") && weight.shape.length === 2) squares[SQUARES + name] = sum(mul(x!, x!), [0]);
  }
  return { inputs, outputs: { ...outputs, ...squares } };
}

/**
 * One number of a bag of feature vectors, whatever their order and number: gated attention (Ilse et al., arXiv 1802.04712, as
 * in AMLab-Amsterdam/AttentionDeepMIL) or, as controls, their mean or maximum; then a linear head.
 */
import { add, matmul, max, mul, reshape, sigmoid, softmax, sum, tanh, transpose } from "../../compiler/ops/index.ts";
import { input, type Params, scalar, type Tensor } from "../../compiler/tensor.ts";
import { defineAttachment } from "./attachment.ts";

export const pools = ["attention", "mean", "max"] as const;

export interface BagPoolConfig {
  /** Numbers of a feature vector. */
  readonly width: number;
  /** Width of the attention's inner layer. */
  readonly hidden: number;
  readonly pool: (typeof pools)[number];
}

export const bagPool = defineAttachment<BagPoolConfig>({
  name: "bag_pool",
  site: "image_tokens",
  params({ width, hidden, pool }) {
    const inner = { shape: [hidden, width], std: 1 / Math.sqrt(width) };
    const attention = { V: inner, U: inner, w: { shape: [1, hidden], std: 1 / Math.sqrt(hidden) } };
    const head = { head: { shape: [width], std: 1 / Math.sqrt(width) }, bias: { shape: [1], std: 0 } };
    return pool === "attention" ? { ...attention, ...head } : head;
  },
  input: ({ width }) => input("x", "float32", ["vectors", width]),
  apply(params, x, { pool }) {
    return add(sum(mul(pooled(params, x, pool), params["head"]!), [1]), params["bias"]!); // [1]
  },
});

/** Softmax over the vectors x [vectors, width] of w (tanh(V x) ⊙ σ(U x)), for each row of w: [rows, vectors]. */
export function gatedAttention({ V, U, w }: Params<Tensor>, x: Tensor): Tensor {
  const by = (matrix: Tensor) => matmul(x, matrix, { transposeB: true });
  return softmax(matmul(w!, mul(tanh(by(V!)), sigmoid(by(U!))), { transposeB: true }));
}

/** [1, width] */
function pooled(params: Params<Tensor>, x: Tensor, pool: BagPoolConfig["pool"]): Tensor {
  if (pool === "max") return reshape(max(transpose(x, [1, 0])), [1, x.shape[1]!]);
  const equal = () => softmax(reshape(mul(sum(x, [1]), scalar(0)), [1, x.shape[0]!]));
  return matmul(pool === "attention" ? gatedAttention(params, x) : equal(), x);
}

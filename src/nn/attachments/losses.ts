/** Losses on the outputs of attachments, each a scalar of named inputs. */
import {
  add,
  div,
  exp,
  log,
  matmul,
  max,
  maximum,
  minimum,
  mul,
  neg,
  reshape,
  sqrt,
  sub,
  sum,
} from "../../compiler/ops/index.ts";
import type { Dim } from "../../compiler/spec.ts";
import { input, type Params, scalar, type Tensor } from "../../compiler/tensor.ts";

export interface HeadLoss {
  readonly inputs: Params<Tensor>;
  readonly loss: Tensor;
}

/**
 * Agreement of each image's first view with its second, a and b [pairs, width]; `eye` [pairs, pairs] is the unit matrix.
 * `info_nce`: cross-entropy over the cosines / τ of all second views (arXiv 1807.03748). `metsk`: raw products / τ with the
 * pair itself left out of the denominator, as in wenhui0206/MeTSK, which is unbounded below.
 */
export function contrastiveLoss(kind: "info_nce" | "metsk", width: number): HeadLoss {
  const float = (name: string, ...shape: Dim[]) => input(name, "float32", shape);
  const inputs = {
    a: float("a", "pairs", width),
    b: float("b", "pairs", width),
    eye: float("eye", "pairs", "pairs"),
    tau: float("tau"),
  };
  const { eye } = inputs;
  const [a, b] = [inputs.a, inputs.b].map((t) => (kind === "info_nce" ? normalised(t) : t));
  const logits = div(matmul(a!, b!, { transposeB: true }), inputs.tau);
  const own = sum(mul(logits, eye), [1]);
  const others = kind === "info_nce" ? logits : sub(logits, mul(eye, scalar(1e9)));
  return { inputs, loss: div(sum(sub(logSumExp(others), own)), sum(eye)) };
}

/** |d| − ½ beyond 1, ½ d² within (Huber with δ 1) of the difference of y and target, one number each, times a weight. */
export function huberLoss(): HeadLoss {
  const [y, target, weight] = ["y", "target", "weight"].map((name) => input(name, "float32", [1]));
  const difference = sub(y!, target!);
  const size = maximum(difference, neg(difference));
  const within = minimum(size, scalar(1));
  const loss = sum(mul(weight!, mul(within, sub(size, mul(scalar(0.5), within)))));
  return { inputs: { y: y!, target: target!, weight: weight! }, loss };
}

/** The losses by name: made for outputs of this width, and the inputs that they are differentiated by. */
export const headLosses = {
  info_nce: { make: (width: number) => contrastiveLoss("info_nce", width), wrt: ["a", "b"] },
  metsk: { make: (width: number) => contrastiveLoss("metsk", width), wrt: ["a", "b"] },
  huber: { make: () => huberLoss(), wrt: ["y"] },
} as const satisfies Readonly<Record<string, { make(width: number): HeadLoss; readonly wrt: readonly string[] }>>;

export type HeadLossName = keyof typeof headLosses;

function normalised(x: Tensor): Tensor {
  const squares = sum(mul(x, x), [1], true);
  return div(x, sqrt(add(squares, scalar(1e-12))));
}

/** Over the last of two axes: [rows, n] to [rows]. */
function logSumExp(x: Tensor): Tensor {
  const highest = max(x); // [rows, 1]
  return add(log(sum(exp(sub(x, highest)), [1])), reshape(highest, [x.shape[0]!]));
}

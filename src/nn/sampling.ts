/** The distribution that tokens are sampled from, as graph nodes: sampler and trainer build it from the same function. */
import {
  add,
  argmax,
  cast,
  concat,
  cumulativeSum,
  div,
  exp,
  isPicked,
  largest,
  lessOrEqual,
  logSoftmax,
  matmul,
  max,
  mul,
  neg,
  pick,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  where,
} from "../compiler/ops/index.ts";
import { constant, type Dim, scalar, type Tensor } from "../compiler/tensor.ts";
import { float32, type TensorData } from "../core/tensor-data.ts";

/** What of the sampling options changes the graph; temperature and top-p themselves are inputs. */
export interface SamplingVariant {
  /** "some": lines whose uniform number is negative take the likeliest token, the others draw theirs. */
  readonly greedy: boolean | "some";
  /** 0 keeps all. */
  readonly topK: number;
  readonly topP: boolean;
}

export interface SamplingInputs {
  /** Scalar, or [n, 1] for a temperature per line; greedy decoding reports log-probs at 1. */
  readonly temperature: Tensor;
  /** Scalar in (0, 1], or [n, 1]; 2 keeps all. Read when the variant says so. */
  readonly topP: Tensor;
  /** [vocabulary]: 0, or a large negative number for tokens that must never be sampled. */
  readonly banned: Tensor;
}

/** Excluded tokens get this log-weight: their probability is exactly 0 in float32, without infinities in gradients. */
export const EXCLUDED = -1e9;

/**
 * Log-probs [n, vocabulary] of the sampling distribution. `targets` [n], where given, always keep their probability, so
 * that a token at the edge of a top-k or top-p set cannot fall out of it by rounding when it is scored again.
 */
export function samplingLogProbs(
  logits: Tensor,
  variant: SamplingVariant,
  t: SamplingInputs,
  targets: Tensor | null = null,
): Tensor {
  const scaled = add(variant.greedy === true ? logits : div(logits, t.temperature), t.banned);
  let kept = scaled;
  if (variant.topK > 0) kept = keepAtLeast(kept, kthLargest(scaled, variant.topK));
  if (variant.topP) kept = keepAtLeast(kept, nucleusThreshold(kept, t.topP));
  const filtered = kept !== scaled && targets !== null ? where(isPicked(scaled, targets), scaled, kept) : kept;
  return logSoftmax(filtered);
}

/** One token per line by inverting the cumulative distribution at `uniform` [n] in [0, 1), or the most likely one. */
export function sampleToken(
  logProbs: Tensor,
  variant: SamplingVariant,
  uniform: Tensor,
): { readonly token: Tensor; readonly logProb: Tensor } {
  const token = chooseToken(logProbs, variant.greedy, uniform);
  return { token, logProb: pick(logProbs, token) };
}

function chooseToken(logProbs: Tensor, greedy: SamplingVariant["greedy"], uniform: Tensor): Tensor {
  if (greedy === true) return argmax(logProbs);
  const drawn = invertCumulative(logProbs, uniform);
  return greedy === "some" ? where(lessOrEqual(scalar(0), uniform), drawn, argmax(logProbs)) : drawn;
}

/** −Σ p log p per line, in nats. */
export function entropy(logProbs: Tensor): Tensor {
  return neg(sum(mul(exp(logProbs), logProbs), [1]));
}

function invertCumulative(logProbs: Tensor, uniform: Tensor): Tensor {
  const cumulative = runningSum(exp(logProbs));
  const size = logProbs.shape[1] as number;
  const total = slice(cumulative, 1, size - 1, size);
  const mark = mul(reshape(uniform, [...uniform.shape, 1]), total);
  return cast(sum(cast(lessOrEqual(cumulative, mark), "float32"), [1]), "int32");
}

/**
 * The running sum of lines [n, size], exactly level where a number is 0. ONNX Runtime's own is slow, so long lines are summed
 * within blocks by a product with a triangle of ones, to which the sum of all earlier blocks is added.
 */
function runningSum(x: Tensor): Tensor {
  const [lines, size] = x.shape as [Dim, number];
  const block = [128, 64, 32].find((n) => size % n === 0 && size > 2 * n);
  if (block === undefined) return cumulativeSum(x);
  const count = size / block;
  const within = matmul(reshape(x, [lines, count, block]), constant(triangle(block)));
  const upTo = cumulativeSum(reshape(slice(within, 2, block - 1, block), [lines, count]));
  const first = slice(upTo, 1, 0, 1);
  const before = concat([sub(first, first), slice(upTo, 1, 0, count - 1)], 1);
  return reshape(add(within, reshape(before, [lines, count, 1])), [lines, size]);
}

/** [size, size], ones on and above the diagonal. */
function triangle(size: number): TensorData {
  const ones = new Float32Array(size * size);
  for (let row = 0; row < size; row++) ones.fill(1, row * size + row, (row + 1) * size);
  return float32([size, size], ones);
}

function kthLargest(x: Tensor, k: number): Tensor {
  const count = Math.min(k, x.shape[1] as number);
  return slice(largest(x, count), 1, count - 1, count);
}

/** The smallest kept value when the most likely tokens are kept until their probabilities reach topP (arXiv 1904.09751). */
function nucleusThreshold(x: Tensor, topP: Tensor): Tensor {
  const sorted = largest(x, x.shape[1] as number);
  const probs = softmax(sorted);
  const before = sub(cumulativeSum(probs), probs);
  return neg(max(neg(where(lessOrEqual(topP, before), scalar(-EXCLUDED), sorted))));
}

function keepAtLeast(x: Tensor, threshold: Tensor): Tensor {
  return where(lessOrEqual(threshold, x), x, scalar(EXCLUDED));
}

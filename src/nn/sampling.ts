/** The sampling distribution as graph nodes: sampler and trainer build it with the same function. */
import {
  add,
  argmax,
  cast,
  concat,
  cumulativeSum,
  div,
  exp,
  gather,
  isPicked,
  lessOrEqual,
  logSoftmax,
  max,
  minimum,
  mul,
  neg,
  onesLike,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  takeAlongLastAxis,
  topK,
  where,
} from "../compiler/ops/index.ts";
import type { Dim } from "../compiler/spec.ts";
import { scalar, type Tensor } from "../compiler/tensor.ts";
import type { TokenStat } from "../core/records.ts";

/** The sampling options that change the graph; temperature and top-p are inputs. */
export interface SamplingVariant {
  /** "some": rows whose uniform is negative decode greedily, the others sample. */
  readonly greedy: boolean | "some";
  /** 0 keeps all. */
  readonly topK: number;
  readonly topP: boolean;
}

export interface SamplingInputs {
  /** Scalar, or [n, 1] for a temperature per row; greedy decoding reports log-probs at 1. */
  readonly temperature: Tensor;
  /** Scalar in (0, 1], or [n, 1]; 2 keeps all. Used only if the variant has top-p. */
  readonly topP: Tensor;
  /** [vocabulary]: 0, or a large negative number for tokens that must never be sampled. */
  readonly banned: Tensor;
}

/** Log-weight of excluded tokens: their probability is exactly 0 in float32, without infinities in gradients. */
export const EXCLUDED = -1e9;

/**
 * Log-probs [n, vocabulary] of the sampling distribution. `targets` [n], if given, always keep their probability, so
 * that rounding cannot exclude a token at the edge of a top-k or top-p set when it is scored again.
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

/** One token per row by inverse transform sampling at `uniform` [n] in [0, 1), or the most likely one. */
export function sampleToken(
  logProbs: Tensor,
  variant: SamplingVariant,
  uniform: Tensor,
): { readonly token: Tensor; readonly logProb: Tensor } {
  const token = chooseToken(logProbs, variant.greedy, uniform);
  return { token, logProb: takeAlongLastAxis(logProbs, token) };
}

function chooseToken(logProbs: Tensor, greedy: SamplingVariant["greedy"], uniform: Tensor): Tensor {
  if (greedy === true) return argmax(logProbs);
  const drawn = invertCumulative(logProbs, uniform);
  return greedy === "some" ? where(lessOrEqual(scalar(0), uniform), drawn, argmax(logProbs)) : drawn;
}

/** −Σ p log p per row, in nats. */
export function entropy(logProbs: Tensor): Tensor {
  return neg(sum(mul(exp(logProbs), logProbs), [1]));
}

/** What statistics of tokens are made of. */
export interface TokenDistribution {
  /** [n, vocabulary], as the head gives them. */
  readonly logits: Tensor;
  /** [n, vocabulary], of the sampling distribution that was made of them. */
  readonly logProbs: Tensor;
  /** [n] */
  readonly tokens: Tensor;
  readonly variant: SamplingVariant;
  readonly temperature: Tensor;
}

/**
 * What is told of tokens, [n] each. Self-certainty is log Σ exp z − mean z over the whole vocabulary, z the logits over the
 * temperature, as in UCAS: neither bans nor top-k or top-p are in it.
 */
export const tokenStatistics: Readonly<Record<TokenStat, (of: TokenDistribution) => Tensor>> = {
  entropy: ({ logProbs }) => entropy(logProbs),
  self_certainty({ logits, variant, temperature }) {
    const plain = logSoftmax(variant.greedy === true ? logits : div(logits, temperature));
    return mul(sum(plain, [1]), scalar(-1 / (logits.shape[1] as number)));
  },
  logit: ({ logits, tokens }) => takeAlongLastAxis(logits, tokens),
};

/** The first token of each row at which the running sum of the probabilities is above `uniform` times their total. */
function invertCumulative(logProbs: Tensor, uniform: Tensor): Tensor {
  const probs = exp(logProbs);
  const [rows, size] = probs.shape as [Dim, number];
  const mark = reshape(uniform, [rows, 1]);
  const block = [128, 64, 32].find((n) => size % n === 0 && size > 2 * n);
  if (block === undefined) {
    const upTo = cumulativeSum(probs);
    return cast(reached(upTo, mul(mark, lastColumn(upTo))), "int32");
  }
  return invertInBlocks(probs, mark, block);
}

/**
 * The same for long rows, whose cumulative sum ONNX Runtime computes element by element: first the block is found, then
 * the token in it. Where rounding makes a block's own cumulative sum smaller than its block sum, its last token is
 * sampled.
 */
function invertInBlocks(probs: Tensor, uniform: Tensor, block: number): Tensor {
  const [rows, size] = probs.shape as [Dim, number];
  const count = size / block;
  const upTo = cumulativeSum(sum(reshape(probs, [rows, count, block]), [2]));
  const mark = mul(uniform, lastColumn(upTo));
  const chosen = reached(upTo, mark);
  const first = slice(upTo, 1, 0, 1);
  const before = takeAlongLastAxis(concat([sub(first, first), slice(upTo, 1, 0, count - 1)], 1), cast(chosen, "int32"));
  const row = sub(cumulativeSum(onesLike(reshape(uniform, [1, rows]))), scalar(1));
  const blockAt = add(mul(reshape(row, [rows]), scalar(count)), chosen);
  const all = typeof rows === "number" ? rows * count : "blocks";
  const within = cumulativeSum(gather(reshape(probs, [all, block]), cast(blockAt, "int32")));
  const belowAll = mul(lastColumn(within), scalar(1 - 2 ** -23));
  const rest = minimum(sub(mark, reshape(before, [rows, 1])), belowAll);
  return cast(add(mul(chosen, scalar(block)), reached(within, rest)), "int32");
}

/** The number of elements of each row that do not exceed its mark [rows, 1]. */
function reached(rows: Tensor, mark: Tensor): Tensor {
  return sum(cast(lessOrEqual(rows, mark), "float32"), [1]);
}

function lastColumn(x: Tensor): Tensor {
  const size = x.shape[1] as number;
  return slice(x, 1, size - 1, size);
}

function kthLargest(x: Tensor, k: number): Tensor {
  const count = Math.min(k, x.shape[1] as number);
  return slice(topK(x, count), 1, count - 1, count);
}

/**
 * The smallest kept value for top-p: the most likely tokens are kept until their probabilities reach topP (arXiv
 * 1904.09751).
 */
function nucleusThreshold(x: Tensor, topP: Tensor): Tensor {
  const sorted = topK(x, x.shape[1] as number);
  const probs = softmax(sorted);
  const before = sub(cumulativeSum(probs), probs);
  return neg(max(neg(where(lessOrEqual(topP, before), scalar(-EXCLUDED), sorted))));
}

function keepAtLeast(x: Tensor, threshold: Tensor): Tensor {
  return where(lessOrEqual(threshold, x), x, scalar(EXCLUDED));
}

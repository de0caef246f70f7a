/**
 * ETPO (arXiv 2402.06700): a soft Bellman backup gives every token a value of its own. The critic's loss and targets are the
 * paper's; the policy's loss is corrected (ours): the published one has no gradient from the critic.
 */
import { add, exp, lessOrEqual, maximum, mul, neg, sub, sum, where } from "../compiler/ops/index.ts";
import { scalar, type Tensor } from "../compiler/tensor.ts";
import type { Segment } from "../core/records.ts";

/** Where the Huber loss of the critic turns linear; the authors' code. */
export const HUBER_DELTA = 10;

/**
 * V = Σ_v π_v·(Q_v − β·(log π_v − log ρ_v)) per row of log-probs and values [rows, vocabulary]. The policy's loss is −V, whose
 * minimum is at π ∝ ρ·exp(Q / β).
 */
export function softValue(logProbs: Tensor, refLogProbs: Tensor, q: Tensor, beta: Tensor): Tensor {
  return sum(mul(exp(logProbs), sub(q, mul(beta, sub(logProbs, refLogProbs)))), [1]);
}

/** Half the square of errors [rows] up to δ, a straight line beyond. */
export function huberLoss(error: Tensor, delta: number = HUBER_DELTA): Tensor {
  const size = maximum(error, neg(error));
  const line = mul(scalar(delta), add(size, scalar(-delta / 2)));
  return where(lessOrEqual(size, scalar(delta)), mul(scalar(0.5), mul(size, size)), line);
}

/**
 * What the critic should say of each token: the soft value of the state after it, not discounted within an utterance; after
 * the last token the reward and γ times the value of what follows, 0 where nothing does.
 */
export function softTargets(
  values: Float32Array | Float64Array,
  { reward, gamma, next = 0 }: { readonly reward: number; readonly gamma: number; readonly next?: number },
): Float64Array {
  return Float64Array.from(values, (_, t) => (t + 1 < values.length ? values[t + 1]! : reward + gamma * next));
}

/**
 * The same of a completion of several turns, whose values are given at every token: an utterance ends in γ times the value of
 * the state in which the next one begins, the last in the reward. What was observed has no target: 0.
 */
export function turnTargets(
  values: Float32Array,
  segments: readonly Segment[],
  { reward, gamma }: { readonly reward: number; readonly gamma: number },
): Float64Array {
  const targets = new Float64Array(values.length);
  const utterances = policyRanges(segments);
  for (const [i, [from, to]] of utterances.entries()) {
    const next = utterances[i + 1];
    const after = next === undefined ? { reward } : { reward: 0, next: values[next[0]]! };
    targets.set(softTargets(values.subarray(from, to), { ...after, gamma }), from);
  }
  return targets;
}

/** Where the policy's utterances begin and end, in tokens. */
function policyRanges(segments: readonly Segment[]): readonly (readonly [from: number, to: number])[] {
  let at = 0;
  return segments.flatMap(({ by, tokens }) => {
    const from = at;
    at += tokens;
    return by === "policy" && tokens > 0 ? [[from, at] as const] : [];
  });
}

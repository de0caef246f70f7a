/**
 * Causal attention of new tokens over what is cached: a group's prompt, which lies in memory once for all its rows, and a
 * row's own earlier tokens. Caches are read only; the new tokens' keys and values come back for whoever keeps them.
 */
import { add, gather, join, joinedPart, matmul, mul, reshape, softmax, sum, transpose } from "../compiler/ops/index.ts";
import { type Dim, scalar, type Tensor } from "../compiler/tensor.ts";

/** Which rows share a prompt, and what of the caches counts. */
export interface CacheLayout {
  /** [groups x places]: the row at each place of a group, any row at an unused one */
  readonly rowAt: Tensor;
  /** [rows]: the place of each row among all groups' places */
  readonly placeOf: Tensor;
  /** [groups, prompt]: 0, or a large negative number beyond a group's prompt */
  readonly promptBias: Tensor;
  /** [rows, past]: 0, or a large negative number beyond a row's own tokens */
  readonly pastBias: Tensor;
  /** [tokens, tokens]: causal among the new tokens */
  readonly causal: Tensor;
}

/** Keys or values: of prompts [groups, keyValueHeads, prompt, headDim], of rows [rows, keyValueHeads, past, headDim]. */
export interface Cached {
  readonly prompt: Tensor;
  readonly past: Tensor;
}

/** Query [rows, tokens, heads, headDim], key and value [rows, tokens, keyValueHeads, headDim]. */
export function cachedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  cached: { readonly keys: Cached; readonly values: Cached },
  layout: CacheLayout,
): {
  /** [rows, tokens, heads x headDim] */
  readonly output: Tensor;
  /** [rows, keyValueHeads, tokens, headDim] */
  readonly keys: Tensor;
  readonly values: Tensor;
} {
  const [rows, tokens, heads, headDim] = query.shape as [Dim, Dim, number, number];
  const keyValueHeads = key.shape[2] as number;
  const share = heads / keyValueHeads;
  const [groups, prompt] = layout.promptBias.shape as [Dim, Dim];
  const [, past] = layout.pastBias.shape as [Dim, Dim];
  const [places] = layout.rowAt.shape as [Dim];
  const keys = transpose(key, [0, 2, 1, 3]);
  const values = transpose(value, [0, 2, 1, 3]);

  /** [rows, keyValueHeads, queries, n] to [groups, keyValueHeads, queries of the group, n], and back. */
  const intoGroups = (x: Tensor, n: Dim) => {
    const lines = reshape(gather(x, layout.rowAt), [groups, "places", keyValueHeads, "queries", n]);
    return reshape(transpose(lines, [0, 2, 1, 3, 4]), [groups, keyValueHeads, "groupQueries", n]);
  };
  const intoRows = (x: Tensor, n: Dim) => {
    const lines = transpose(reshape(x, [groups, keyValueHeads, "places", "queries", n]), [0, 2, 1, 3, 4]);
    return gather(reshape(lines, [places, keyValueHeads, "queries", n]), layout.placeOf);
  };

  const perHead = reshape(mul(query, scalar(1 / Math.sqrt(headDim))), [rows, tokens, keyValueHeads, share, headDim]);
  const queries = reshape(transpose(perHead, [0, 2, 3, 1, 4]), [rows, keyValueHeads, "queries", headDim]);
  const ofPrompt = matmul(intoGroups(queries, headDim), cached.keys.prompt, { transposeB: true });
  const visiblePrompt = intoRows(add(ofPrompt, reshape(layout.promptBias, [groups, 1, 1, prompt])), prompt);
  const ofPast = matmul(queries, cached.keys.past, { transposeB: true });
  const visiblePast = add(ofPast, reshape(layout.pastBias, [rows, 1, 1, past]));
  const visibleNew = scoresOfNew();

  /** [rows, keyValueHeads, queries, tokens]; one token's products are numbers, which need no product of matrices. */
  function scoresOfNew(): Tensor {
    if (tokens === 1) return sum(mul(queries, keys), [3], true);
    const scores = reshape(matmul(queries, keys, { transposeB: true }), [rows, keyValueHeads, share, tokens, tokens]);
    return reshape(add(scores, layout.causal), [rows, keyValueHeads, "queries", tokens]);
  }

  const weights = softmax(join([visiblePrompt, visiblePast, visibleNew], 3, "visible"));
  const part = (index: number) => joinedPart(weights, 3, [prompt, past, tokens], index);
  const fromPrompt = matmul(intoGroups(part(0), prompt), cached.values.prompt);
  const fromPast = matmul(part(1), cached.values.past);
  const fromNew = tokens === 1 ? mul(part(2), values) : matmul(part(2), values);
  const mixed = add(add(intoRows(fromPrompt, headDim), fromPast), fromNew);
  const back = transpose(reshape(mixed, [rows, keyValueHeads, share, tokens, headDim]), [0, 3, 1, 2, 4]);
  return { output: reshape(back, [rows, tokens, heads * headDim]), keys, values };
}

/**
 * Causal attention of new tokens over a KV cache: a group's prompt, stored once for all its rows, and each row's own
 * earlier tokens. Caches are read only; the new tokens' keys and values are returned for the caller to append.
 */
import {
  add,
  broadcastTo,
  concatDynamic,
  gather,
  matmul,
  mul,
  reshape,
  softmax,
  splitPart,
  transpose,
} from "../compiler/ops/index.ts";
import type { Dim } from "../compiler/spec.ts";
import type { Tensor } from "../compiler/tensor.ts";

/**
 * Which rows share a prompt, and which cache entries are visible. Row heads are rows x keyValueHeads, group heads are
 * groups x keyValueHeads.
 */
export interface CacheLayout {
  /** [groupHeads x places]: the row head at each place of a group head, any row head at an unused one */
  readonly rowHeadAt: Tensor;
  /** [rowHeads]: the place of each row head among all places */
  readonly placeOf: Tensor;
  /**
   * [rows, tokens, visible]: 0, or a large negative number where a new token must not see a prompt, past or new token
   */
  readonly bias: Tensor;
}

/** Keys or values: of prompts [groupHeads, 1, prompt, headDim], of rows [rowHeads, 1, past, headDim]. */
export interface Cached {
  readonly prompt: Tensor;
  readonly past: Tensor;
}

/** Query [rows, tokens, heads, headDim], divided by √headDim; key and value [rows, tokens, keyValueHeads, headDim]. */
export function cachedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  cached: { readonly keys: Cached; readonly values: Cached },
  layout: CacheLayout,
): {
  /** [rows, tokens, heads x headDim] */
  readonly output: Tensor;
  /** [rowHeads, 1, tokens, headDim] */
  readonly keys: Tensor;
  readonly values: Tensor;
} {
  const [rows, tokens, heads, headDim] = query.shape as [Dim, Dim, number, number];
  const keyValueHeads = key.shape[2] as number;
  const share = heads / keyValueHeads;
  const [groupHeads, , prompt] = cached.keys.prompt.shape as [Dim, 1, Dim];
  const [rowHeads, , past] = cached.keys.past.shape as [Dim, 1, Dim];
  const [places] = layout.rowHeadAt.shape as [Dim];
  const visible = layout.bias.shape[2]!;
  // Queries of a row head: one for each token and each query head that shares it. ONNX Runtime packs the right operand
  // unless the left has one row, so queries of a single token stay separate rows of a batch.
  const asked: readonly [Dim, Dim] = tokens === 1 ? [share, 1] : [1, "asked"];

  /** [rowHeads, …asked, n] to [groupHeads, 1, groupAsked, n], and back. */
  const intoGroups = (x: Tensor, n: Dim) => reshape(gather(x, layout.rowHeadAt), [groupHeads, 1, "groupAsked", n]);
  const intoRows = (x: Tensor, n: Dim) => gather(reshape(x, [places, ...asked, n]), layout.placeOf);

  const perHead = reshape(query, [rows, tokens, keyValueHeads, share, headDim]);
  const queries = reshape(transpose(perHead, [0, 2, 3, 1, 4]), [rowHeads, ...asked, headDim]);
  const keys = reshape(transpose(key, [0, 2, 1, 3]), [rowHeads, 1, tokens, headDim]);
  const values = reshape(transpose(value, [0, 2, 1, 3]), [rowHeads, 1, tokens, headDim]);
  const scores = concatDynamic(
    [
      intoRows(matmul(intoGroups(queries, headDim), cached.keys.prompt, { transposeB: true }), prompt),
      matmul(queries, cached.keys.past, { transposeB: true }),
      matmul(queries, keys, { transposeB: true }),
    ],
    3,
    visible as string,
  );
  const weights = softmax(masked());
  const part = (index: number) => splitPart(weights, 3, [prompt, past, tokens], index);
  const fromPrompt = intoRows(matmul(intoGroups(part(0), prompt), cached.values.prompt), headDim);
  const fromPast = matmul(part(1), cached.values.past);
  const fromNew = tokens === 1 ? mul(part(2), values) : matmul(part(2), values);
  const mixed = reshape(add(add(fromPrompt, fromPast), fromNew), [rows, keyValueHeads, share, tokens, headDim]);
  const output = reshape(transpose(mixed, [0, 3, 1, 2, 4]), [rows, tokens, heads * headDim]);
  return { output, keys, values };

  /** With one token per row, the bias is the same for all heads: it is laid out once, not in every layer. */
  function masked(): Tensor {
    const { bias } = layout;
    if (tokens === 1) {
      const all = broadcastTo(reshape(bias, [rows, 1, 1, visible]), [rows, keyValueHeads, 1, visible]);
      return add(scores, reshape(all, [rowHeads, 1, 1, visible]));
    }
    const perToken = reshape(scores, [rows, heads, tokens, visible]);
    return reshape(add(perToken, reshape(bias, [rows, 1, tokens, visible])), [rowHeads, ...asked, visible]);
  }
}

/**
 * Causal attention over packed rows [prompt | c1 | … | cG]: a completion attends to its prompt and itself. Tokens are
 * flat rows without padding; only here are they laid out in padded grids, so that scores between completions are never
 * computed.
 */
import {
  add,
  broadcastTo,
  concatDynamic,
  gatherRows,
  matmul,
  reshape,
  scatterRows,
  softmax,
  splitPart,
  transpose,
} from "../compiler/ops/index.ts";
import type { Dim } from "../compiler/spec.ts";
import type { Tensor } from "../compiler/tensor.ts";

/**
 * Positions of flat tokens in two grids: prompts [rows, prompt] and, after them, completions [rows, group, completion].
 */
export interface PackedLayout {
  /** [rows x prompt]: the flat token of each place, −1 for padding */
  readonly promptTokens: Tensor;
  /** [rows x group x completion]: likewise */
  readonly completionTokens: Tensor;
  /** [flat]: the place of each token, prompts' places first */
  readonly placeOf: Tensor;
  /** [rows, prompt]: 0, or a large negative number at padding of a row's prompt */
  readonly promptBias: Tensor;
  /** [prompt, prompt]: causal */
  readonly promptMask: Tensor;
  /** [completion, completion]: causal */
  readonly completionMask: Tensor;
  /** [group], values unused: its length is the number of completions a row has places for */
  readonly group: Tensor;
}

/** Query [1, flat, heads, headDim], divided by √headDim, key and value [1, flat, keyValueHeads, headDim] to [1, flat, heads x headDim]. */
export function packedAttention(query: Tensor, key: Tensor, value: Tensor, layout: PackedLayout): Tensor {
  const [, flat, heads, headDim] = query.shape as [Dim, Dim, number, number];
  const keyValueHeads = key.shape[2] as number;
  const share = heads / keyValueHeads;
  const [rows, prompt] = layout.promptBias.shape as [Dim, Dim];
  const [completion] = layout.completionMask.shape as [Dim, Dim];
  const [group] = layout.group.shape as [Dim];
  const places = [layout.promptTokens.shape[0]!, layout.completionTokens.shape[0]!] as const;
  const tokenAt = concatDynamic([layout.promptTokens, layout.completionTokens], 0, "places");

  /**
   * Flat rows laid out in both grids: [rows, keyValueHeads, n, prompt, headDim] and [rows, keyValueHeads, group, n,
   * completion, headDim].
   */
  const grids = (x: Tensor, n: number) => {
    const scattered = scatterRows(reshape(x, [flat, keyValueHeads, n, headDim]), tokenAt, layout.placeOf);
    const prompts = reshape(splitPart(scattered, 0, places, 0), [rows, prompt, keyValueHeads, n, headDim]);
    const completions = splitPart(scattered, 0, places, 1);
    return {
      prompts: transpose(prompts, [0, 2, 3, 1, 4]),
      completions: transpose(
        reshape(completions, [rows, group, completion, keyValueHeads, n, headDim]),
        [0, 3, 1, 4, 2, 5],
      ),
    };
  };
  const q = grids(query, share);
  const k = grids(key, 1);
  const v = grids(value, 1);

  const promptScores = add(matmul(q.prompts, k.prompts, { transposeB: true }), layout.promptMask);
  const promptMixed = matmul(softmax(promptScores), v.prompts); // [rows, keyValueHeads, share, prompt, headDim]

  // Each completion's keys and values follow a copy of its prompt's: one matmul and one softmax over all it attends to.
  const seen = (t: { readonly prompts: Tensor; readonly completions: Tensor }) => {
    const shared = reshape(t.prompts, [rows, keyValueHeads, 1, prompt, headDim]);
    const copied = broadcastTo(shared, [rows, keyValueHeads, group, prompt, headDim]);
    const own = reshape(t.completions, [rows, keyValueHeads, group, completion, headDim]);
    return concatDynamic([copied, own], 3, "seen");
  };
  const placed = [rows, keyValueHeads, group, share, completion] as const;
  const queries = reshape(q.completions, [rows, keyValueHeads, group, "asked", headDim]);
  const scores = reshape(matmul(queries, seen(k), { transposeB: true }), [...placed, "seen"]);
  const visible = concatDynamic(
    [
      broadcastTo(reshape(layout.promptBias, [rows, 1, 1, 1, 1, prompt]), [rows, 1, 1, 1, completion, prompt]),
      broadcastTo(layout.completionMask, [rows, 1, 1, 1, completion, completion]),
    ],
    5,
    "seen",
  );
  const weights = reshape(softmax(add(scores, visible)), [rows, keyValueHeads, group, "asked", "seen"]);
  const completionMixed = reshape(matmul(weights, seen(v)), [...placed, headDim]);

  const width = heads * headDim;
  const mixed = concatDynamic(
    [
      reshape(transpose(promptMixed, [0, 3, 1, 2, 4]), [places[0], width]),
      reshape(transpose(completionMixed, [0, 2, 4, 1, 3, 5]), [places[1], width]),
    ],
    0,
    "places",
  );
  return reshape(gatherRows(mixed, layout.placeOf, tokenAt), [1, flat, width]);
}

/**
 * A bag of feature vectors as a few tokens of a language model (after HRD, arXiv 2602.00151; that several attentions share one
 * gate is ours): each token is a mean of the vectors, weighed by an attention of its own, and projected to the model's width.
 */
import { matmul } from "../../compiler/ops/index.ts";
import { input } from "../../compiler/tensor.ts";
import { linear } from "../layers.ts";
import { defineAttachment } from "./attachment.ts";
import { gatedAttention } from "./bag-pool.ts";

export interface BagTokensConfig {
  /** Numbers of a feature vector. */
  readonly width: number;
  /** Width of the attention's inner layer. */
  readonly hidden: number;
  readonly tokens: number;
  /** Numbers of a token. */
  readonly output: number;
}

export const bagTokens = defineAttachment<BagTokensConfig>({
  name: "bag_tokens",
  site: "image_tokens",
  params({ width, hidden, tokens, output }) {
    const inner = { shape: [hidden, width], std: 1 / Math.sqrt(width) };
    return {
      ...{ V: inner, U: inner, w: { shape: [tokens, hidden], std: 1 / Math.sqrt(hidden) } },
      // A tenth of an even start, ours: tokens that begin loud make a frozen model say its likeliest number for every bag.
      ...{ weight: { shape: [output, width], std: 0.1 / Math.sqrt(width) }, bias: { shape: [output], std: 0 } },
    };
  },
  input: ({ width }) => input("x", "float32", ["vectors", width]),
  apply: (params, x) => linear(matmul(gatedAttention(params, x), x), params["weight"]!, params["bias"]!), // [tokens, output]
});

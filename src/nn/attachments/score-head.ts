/** A score per hidden state: what transformers' sequence classification calls `score`, with one label and no bias. */
import { reshape } from "../../compiler/ops/index.ts";
import type { Params, Tensor } from "../../compiler/tensor.ts";
import { linear } from "../layers.ts";

/** Its weight [1, width] by its local name, drawn from N(0, 0.02); it reads the last layer's normalised states [rows, width]. */
export const scoreHead = {
  name: "score_head",
  site: "hidden_last",
  params: ({ width }: { readonly width: number }) => ({ weight: { shape: [1, width], std: 0.02 } }),
  /** [rows] */
  apply: (params: Params<Tensor>, x: Tensor): Tensor => reshape(linear(x, params["weight"]!), [x.shape[0]!]),
} as const;

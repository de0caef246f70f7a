/**
 * A score per hidden state: what transformers' sequence classification calls `score`, with one label and no bias. It is trained and
 * stored as a weight of the model (`src/models/score-head.ts`).
 */
import { reshape } from "../../compiler/ops/index.ts";
import { input } from "../../compiler/tensor.ts";
import { linear } from "../layers.ts";
import { defineAttachment } from "./attachment.ts";

export interface ScoreHeadConfig {
  /** Of the last layer's normalised states. */
  readonly width: number;
}

export const scoreHead = defineAttachment<ScoreHeadConfig>({
  name: "score_head",
  site: "hidden_last",
  params: ({ width }) => ({ weight: { shape: [1, width], std: 0.02 } }),
  input: ({ width }) => input("x", "float32", ["rows", width]),
  apply: (params, x) => reshape(linear(x, params["weight"]!), [x.shape[0]!]),
});

/** What stands between the tower's mean output and a contrastive loss, and is thrown away with it (SimCLR, arXiv 2002.05709). */
import { input } from "../../compiler/tensor.ts";
import { gelu, linear } from "../layers.ts";
import { defineAttachment } from "./attachment.ts";

export interface ProjectionHeadConfig {
  /** Of the tower's output. */
  readonly width: number;
  /** Of the inner layer and of the output. */
  readonly projection: number;
}

export const projectionHead = defineAttachment<ProjectionHeadConfig>({
  name: "projection_head",
  site: "vision_out",
  params: ({ width, projection }) => ({
    "0.weight": { shape: [projection, width], std: 1 / Math.sqrt(width) },
    "0.bias": { shape: [projection], std: 0 },
    "1.weight": { shape: [projection, projection], std: 1 / Math.sqrt(projection) },
    "1.bias": { shape: [projection], std: 0 },
  }),
  input: ({ width }) => input("x", "float32", ["images", width]),
  apply(params, x) {
    const layer = (i: number, t: typeof x) => linear(t, params[`${i}.weight`]!, params[`${i}.bias`]!);
    return layer(1, gelu(layer(0, x)));
  },
});

/** A trained linear map from the scores of a model's own answers to those of new classes (ours; ILM-VP's are one to one). */
import { matmul } from "../../compiler/ops/index.ts";
import { input } from "../../compiler/tensor.ts";
import { defineAttachment } from "./attachment.ts";

export interface OutputMappingConfig {
  readonly answers: number;
  readonly classes: number;
}

export const outputMapping = defineAttachment<OutputMappingConfig>({
  name: "output_mapping",
  site: "scores",
  params: ({ answers, classes }) => ({ matrix: { shape: [classes, answers], std: 0 } }),
  input: ({ answers }) => input("x", "float32", ["images", answers]),
  apply: ({ matrix }, x) => matmul(x, matrix!, { transposeB: true }),
});

/**
 * A trained change of pixels, the same for every image (model reprogramming): a frame around the image, the whole image, or
 * an image made smaller with σ(P) around it. Forms and mask as in OPTML-Group/ILM-VP.
 */
import { add, mul, sigmoid } from "../../compiler/ops/index.ts";
import { constant, input } from "../../compiler/tensor.ts";
import { float32 } from "../../core/tensor-data.ts";
import { defineAttachment } from "./attachment.ts";

export const promptForms = ["full", "frame", "padded"] as const;

export interface VisualPromptConfig {
  /** Pixels of a side; images are square. */
  readonly size: number;
  readonly form: (typeof promptForms)[number];
  /** Pixels of the frame's width; of `full` unread. */
  readonly width: number;
}

export const visualPrompt = defineAttachment<VisualPromptConfig>({
  name: "visual_prompt",
  site: "pixels",
  params: ({ size }) => ({ prompt: { shape: [3 * size * size], std: 0 } }),
  input: ({ size }) => input("x", "float32", ["images", 3 * size * size]),
  apply({ prompt }, x, config) {
    const mask = constant(float32([3 * config.size ** 2], promptMask(config)));
    return add(x, mul(config.form === "padded" ? sigmoid(prompt!) : prompt!, mask));
  },
});

/** [size x size x 3]: 1 where pixels are the prompt's. */
export function promptMask({ size, form, width }: VisualPromptConfig): Float32Array {
  const isFrame = (at: number) => at < width || at >= size - width;
  return Float32Array.from({ length: 3 * size * size }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return form === "full" || isFrame(pixel % size) || isFrame(Math.floor(pixel / size)) ? 1 : 0;
  });
}

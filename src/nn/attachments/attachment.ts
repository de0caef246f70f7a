/**
 * Attachments: small trained parts beside a model, each a pure function at one site. The model's own weights know nothing of
 * them; they are saved as safetensors beside an adapter or checkpoint.
 */
import type { Params, Tensor } from "../../compiler/tensor.ts";

/**
 * Where an attachment stands: on an image's pixels [images, height x width x 3]; on the features of image tokens or of bags
 * [rows, width]; on an image's mean output of the vision tower [images, width]; on hidden states of the last layer
 * [rows, width]; on the scores of answers [rows, answers].
 */
export type AttachmentSite = "pixels" | "image_tokens" | "vision_out" | "hidden_last" | "scores";

export interface ParamSpec {
  readonly shape: readonly number[];
  /** Drawn from N(0, std); 0 is zeros. */
  readonly std: number;
}

export interface Attachment<Config> {
  readonly name: string;
  readonly site: AttachmentSite;
  /** Its weights by local names. */
  params(config: Config): Readonly<Record<string, ParamSpec>>;
  /** What it reads: a float32 input [rows, width] with a named first size. */
  input(config: Config): Tensor;
  /** y [rows of its own, width of its own] of x. */
  apply(params: Params<Tensor>, x: Tensor, config: Config): Tensor;
}

/** Defines an attachment; its configuration's type is inferred. */
export function defineAttachment<Config>(attachment: Attachment<Config>): Attachment<Config> {
  return attachment;
}

/** A probe's question with its scored answer. */
import type { Example } from "../../core/records.ts";
import type { EvalItem } from "../score.ts";

/** A question as asked, and the scored answer. */
export interface Asked {
  /** Index of the question among the examples. */
  readonly index: number;
  /** As changed by the variant, without images. */
  readonly example: Example;
  readonly item: EvalItem;
}

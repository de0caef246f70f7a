/** A question of a probe with its scored answer. */
import type { Example } from "../../core/records.ts";
import type { EvalItem } from "../score.ts";

/** A question as it was asked, and the scored answer. */
export interface Asked {
  /** Of the question in the examples. */
  readonly index: number;
  /** As changed by the variant, without its images. */
  readonly example: Example;
  readonly item: EvalItem;
}

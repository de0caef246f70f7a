/** The plain answers that reason: those whose completion has a rationale beside its answer. */
import { parseRationale, type Rationale } from "../../answers/rationale.ts";
import type { Asked } from "./asked.ts";
import type { ProbeContext } from "./probe.ts";

export interface Reasoned extends Asked {
  readonly rationale: Rationale;
}

/** A text says why there are none. */
export function reasoned({ plain, style }: Pick<ProbeContext, "plain" | "style">): readonly Reasoned[] | string {
  if (style === "answer_only") return "the prompt asks for no reasoning (answer_only)";
  const found = plain.flatMap((one): Reasoned[] => {
    const rationale = parseRationale(one.item.prediction, style);
    // A plain text that is all answer has no reasoning beside it.
    const isAnswer = style === "plain" && rationale?.text.trim() === one.item.parsed_answer?.text;
    return rationale === null || isAnswer ? [] : [{ ...one, rationale }];
  });
  return found.length === 0 ? `no completion reasons (prompt style ${style})` : found;
}

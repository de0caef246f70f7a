/** The plain answers with reasoning: those whose completion has a rationale as well as an answer. */
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
    // A plain text that consists of the answer alone has no rationale.
    const isAnswer = style === "plain" && rationale?.text.trim() === one.item.parsed_answer?.text;
    return rationale === null || isAnswer ? [] : [{ ...one, rationale }];
  });
  return found.length === 0 ? `no completion reasons (prompt style ${style})` : found;
}

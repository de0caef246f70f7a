/** Finds the reasoning of a completion; like parsing an answer it never throws and is linear in the text. */
import { ANSWER_OPEN, type AnswerStyle, THINK_CLOSE, THINK_OPEN } from "./tags.ts";

export interface Rationale {
  readonly text: string;
  /** UTF-16 offsets in the completion. */
  readonly start: number;
  readonly end: number;
}

/**
 * What stands between `<think>` (the beginning, where the template or nobody opened it) and `</think>` (else the answer's
 * tag, else the end). Styles without a thought take the whole text unless it has the tags. Blank text is none: null.
 */
export function parseRationale(completion: string, style: AnswerStyle = "think_answer"): Rationale | null {
  const open = completion.indexOf(THINK_OPEN);
  const from = open < 0 ? 0 : open + THINK_OPEN.length;
  const close = completion.indexOf(THINK_CLOSE, from);
  const answer = completion.indexOf(ANSWER_OPEN, from);
  const isWhole = style !== "think_answer" && open < 0 && close < 0;
  const end = isWhole ? completion.length : close >= 0 ? close : answer >= 0 ? answer : completion.length;
  const text = completion.slice(from, end);
  return text.trim() === "" ? null : { text, start: from, end };
}

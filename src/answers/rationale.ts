/** Finds the reasoning of a completion; like parsing an answer it never throws and is linear in the text. */
import { jsonThought } from "./json-answer.ts";
import { type AnswerStyle, readTags, TAGS_OF } from "./tags.ts";

export interface Rationale {
  readonly text: string;
  /** UTF-16 offsets in the completion. */
  readonly start: number;
  readonly end: number;
}

/**
 * What stands between `<think>` (the beginning, where the template or nobody opened it) and `</think>` (else the style's next
 * tag, else the end); `<reasoning>` where that is the style's. In JSON it is the field `think`. Styles without a thought take the whole text unless it has the
 * tags. Blank text is none: null.
 */
export function parseRationale(completion: string, style: AnswerStyle = "think_answer"): Rationale | null {
  if (style === "json") {
    const field = jsonThought(completion);
    return field === null || field.text.trim() === "" ? null : field;
  }
  const { thought, answer } = readTags(style);
  const open = completion.indexOf(`<${thought}>`);
  const from = open < 0 ? 0 : open + thought.length + 2;
  const close = completion.indexOf(`</${thought}>`, from);
  const next = [...TAGS_OF[style].slice(1), answer].map((tag) => completion.indexOf(`<${tag}>`, from));
  const first = Math.min(...next.filter((at) => at >= 0));
  const isWhole = TAGS_OF[style].length < 2 && open < 0 && close < 0;
  const end = isWhole ? completion.length : close >= 0 ? close : Math.min(first, completion.length);
  const text = completion.slice(from, end);
  return text.trim() === "" ? null : { text, start: from, end };
}

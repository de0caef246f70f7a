/** The tags a completion carries its reasoning and its answer in, and whether a text keeps to a style; linear in the text. */

/** How completions are asked to look: reasoning then answer in tags, the answer alone in its tag, or no tags at all. */
export type AnswerStyle = "think_answer" | "answer_only" | "plain";

export const THINK_OPEN = "<think>";
export const THINK_CLOSE = "</think>";
export const ANSWER_OPEN = "<answer>";
export const ANSWER_CLOSE = "</answer>";
export const TAGS: readonly string[] = [THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE];

/** Position of a tag that stands exactly once in the text, else -1. */
export function soleIndex(text: string, tag: string): number {
  const first = text.indexOf(tag);
  return first >= 0 && text.indexOf(tag, first + tag.length) < 0 ? first : -1;
}

/** Whether a text between tags says anything, further tags aside: a letter, a digit, a plus or a minus. */
export function hasContent(text: string): boolean {
  return /[\p{L}\p{N}\p{Sm}-]/u.test(text.replace(/<\/?[a-z][^<>]{0,40}>/gi, ""));
}

/** Whether a place lies inside a thought: one that closes after it, or one before it that never closes. */
export function isInThought(text: string, at: number, thinkOpened = false): boolean {
  if (text.indexOf(THINK_CLOSE, at) >= 0) return true;
  const opened = text.lastIndexOf(THINK_OPEN, at);
  return (opened >= 0 || thinkOpened) && text.lastIndexOf(THINK_CLOSE, at) <= opened;
}

/**
 * Whether the whole text is `<think>…</think>` white space `<answer>…</answer>` (or the answer part alone), each tag
 * exactly once, the answer not empty, and nothing before or after. `thinkOpened`: the chat template already wrote `<think>`, so it is supplied.
 * The plain style asks for nothing and always holds.
 */
export function followsStyle(text: string, style: AnswerStyle, thinkOpened = false): boolean {
  if (style === "plain") return true;
  const open = soleIndex(text, ANSWER_OPEN);
  const close = soleIndex(text, ANSWER_CLOSE);
  if (open < 0 || close < open || close + ANSWER_CLOSE.length !== text.length) return false;
  if (!hasContent(text.slice(open + ANSWER_OPEN.length, close))) return false;
  if (style === "answer_only") return open === 0;
  if (thinkOpened ? text.includes(THINK_OPEN) : soleIndex(text, THINK_OPEN) !== 0) return false;
  const thought = soleIndex(text, THINK_CLOSE);
  return thought >= 0 && thought < open && text.slice(thought + THINK_CLOSE.length, open).trim() === "";
}

/** Share of the four tags that stand exactly once (0, 0.25 … 1); an opened `<think>` is supplied as above. Around nothing the answer's tags count for nothing. */
export function tagShare(text: string, thinkOpened = false): number {
  const whole = thinkOpened ? THINK_OPEN + text : text;
  const count = TAGS.filter((tag) => soleIndex(whole, tag) >= 0).length;
  const open = soleIndex(whole, ANSWER_OPEN);
  const close = soleIndex(whole, ANSWER_CLOSE);
  const isEmpty = open >= 0 && close > open && !hasContent(whole.slice(open + ANSWER_OPEN.length, close));
  return (isEmpty ? count - 2 : count) / TAGS.length;
}

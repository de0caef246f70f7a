/** The tags a completion carries its reasoning and its answer in, and whether a text keeps to a style; linear in the text. */
import { isJsonForm } from "./json-answer.ts";

/**
 * How completions are asked to look: reasoning then answer in tags, the answer alone in its tag, no tags at all, or
 * reasoning, a summary and a prediction (the layout of OncoReason, arXiv 2510.17532), or reasoning and answer as JSON.
 */
export const answerStyles = ["think_answer", "answer_only", "plain", "reasoning_prediction", "json"] as const;
export type AnswerStyle = (typeof answerStyles)[number];

/** The tags of a style, in order; the last one holds the answer. */
export const TAGS_OF: Readonly<Record<AnswerStyle, readonly string[]>> = {
  think_answer: ["think", "answer"],
  answer_only: ["answer"],
  plain: [],
  reasoning_prediction: ["reasoning", "comment", "prediction"],
  json: [],
};

/** The tags around the thought and around the answer; styles without them read those that models write unasked. */
export function readTags(style: AnswerStyle): { readonly thought: string; readonly answer: string } {
  const tags = TAGS_OF[style];
  return { thought: tags.length > 1 ? tags[0]! : "think", answer: tags.at(-1) ?? "answer" };
}

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

/** Whether a text between tags says anything, markup aside: a letter, a digit, pluses, a minus, a sign of comparison. */
export function hasContent(text: string): boolean {
  const bare = text.replace(MARKUP, "");
  return /[\p{L}\p{N}+±]/u.test(bare) || /^[\s"'(]*[-\u2212<>≤≥][\s"').]*$/.test(bare);
}

/** Tags, comments, special tokens, and commands that show nothing by themselves. */
const MARKUP =
  /<[/|｜]?\s?[a-z][^<>]{0,40}>|<!--[^<>]{0,80}-->|&nbsp;|\\(?:f?boxed|text\w{0,2}|math\w{2}|mbox|quad)(?=\s?[{\s$]|$)/gi;

/** Whether a place lies inside a thought: one that closes after it, or one before it that never closes. */
export function isInThought(text: string, at: number, thinkOpened = false, thought = "think"): boolean {
  return [...new Set([thought, ...THOUGHTS])].some((name) => {
    if (text.indexOf(`</${name}>`, at) >= 0) return true;
    const opened = text.lastIndexOf(`<${name}>`, at);
    return (opened >= 0 || (thinkOpened && name === thought)) && text.lastIndexOf(`</${name}>`, at) <= opened;
  });
}

/** Tags of thoughts that models write unasked. */
const THOUGHTS = ["think", "thinking", "thought", "Think"] as const;

/**
 * Whether the whole text is `<think>…</think>` white space `<answer>…</answer>` (or the style's other tags in order), each tag
 * exactly once, the answer not empty, and nothing before or after. `thinkOpened`: the chat template already wrote `<think>`, so it is supplied.
 * The plain style asks for nothing and always holds; JSON is one object of both.
 */
export function followsStyle(text: string, style: AnswerStyle, thinkOpened = false): boolean {
  if (style === "json") return isJsonForm(text);
  const tags = TAGS_OF[style];
  const whole = thinkOpened && tags[0] === "think" ? THINK_OPEN + text : text;
  let end = 0;
  for (const [i, tag] of tags.entries()) {
    const open = soleIndex(whole, `<${tag}>`);
    const close = soleIndex(whole, `</${tag}>`);
    const from = open + tag.length + 2;
    if (open < end || close < from || (i === 0 ? open > 0 : whole.slice(end, open).trim() !== "")) return false;
    if (i === tags.length - 1 && !hasContent(whole.slice(from, close))) return false;
    end = close + tag.length + 3;
  }
  return tags.length === 0 || end === whole.length;
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

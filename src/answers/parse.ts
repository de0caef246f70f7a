/** Finds the answer in a completion; a span is in UTF-16 offsets, and `completion.slice(start, end)` is its text. */
import { jsonAnswer, lastJsonAnswer } from "./json-answer.ts";
import { contentEnd, contentStart } from "./special-tokens.ts";
import { type AnswerStyle, hasContent, isInThought, readTags, soleIndex } from "./tags.ts";

/** What a completion answers, and where it says so; in JSON the value, which escapes make shorter. Never empty. */
export interface ParsedAnswer {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface ParseOptions {
  readonly style?: AnswerStyle;
  readonly lenient?: boolean;
  /** The prompt has already written `<think>`. */
  readonly thinkOpened?: boolean | undefined;
}

/**
 * The answer of a completion, or null when it gives none. Special tokens around it (`<|im_end|>`) and what follows the end of its turn are no part of it.
 *
 * Strict: exactly one `<answer>…</answer>` (or the style's own tag), not empty and not inside a thought, closed or not; the
 * plain style takes the whole text, and JSON is one object and nothing else. Lenient adds, on what follows the thought (else on everything): the last tag that holds anything, closed or
 * not, spelled in any case; the last `\boxed{…}` or stated answer ("answer is …", "Answer: …", "Answer" above a line),
 * whichever begins later; the whole text, unless it opens an answer and writes none. What it finds is taken out of its
 * `\boxed{…}`.
 */
export function parseAnswer(completion: string, options: ParseOptions = {}): ParsedAnswer | null {
  const { style = "think_answer", lenient = false, thinkOpened = false } = options;
  const text = completion.slice(0, contentEnd(completion));
  const begin = Math.min(contentStart(completion), text.length);
  if (!lenient) return style === "plain" ? span(text, begin, text.length) : soleAnswer(text, style, thinkOpened);
  const field = style === "json" ? lastJsonAnswer(text) : null;
  if (field !== null) return field;
  const { thought, answer } = readTags(style);
  const from = lastThoughtEnd(text, thought, begin);
  const readsThought = from > begin && !opensAnswer(text, from, answer);
  const anywhere = anyAnswer(text, from, answer) ?? (readsThought ? anyAnswer(text, begin, answer) : null);
  const found = soleAnswer(text, style, thinkOpened) ?? anywhere;
  return found === null ? null : (lastBoxed(text, found.start, found.end) ?? found);
}

function soleAnswer(text: string, style: AnswerStyle, thinkOpened: boolean): ParsedAnswer | null {
  if (style === "json") return jsonAnswer(text);
  const { thought, answer } = readTags(style);
  const open = soleIndex(text, `<${answer}>`);
  const close = soleIndex(text, `</${answer}>`);
  if (open < 0 || close < open || isInThought(text, open, thinkOpened, thought)) return null;
  const from = open + answer.length + 2;
  return hasContent(text.slice(from, close)) ? span(text, from, close) : null;
}

/** A tag in any case, with blanks or attributes in it, escaped or in wide letters. */
const roughTag = (name: string, closing = "") =>
  new RegExp(`(?:<|&lt;|\\\\<|＜)\\s{0,4}${closing}\\s{0,4}${name}(?:\\s[^<>]{0,40})?\\\\?\\s{0,4}(?:>|&gt;|＞)`, "gi");

function lastThoughtEnd(text: string, thought: string, begin: number): number {
  const ends = [roughTag(thought, "/"), THOUGHT_END].map((end) => {
    const last = [...text.matchAll(end)].at(-1);
    return last === undefined ? begin : last.index + last[0].length;
  });
  return Math.max(...ends);
}

/** How models end a thought unasked. */
const THOUGHT_END =
  /<\s?\/\s?(?:think(?:ing)?|thoughts?|reasoning|analysis|scratchpad|reflection)\s?>|\[\/THINK\]|◁\/think▷|<\|end_of_thought\|>|<\|channel\|>final<\|message\|>/gi;

/** Whether an `<answer>` or an empty box follows: one that is empty says that there is no answer, not that it stands elsewhere. */
function opensAnswer(text: string, from: number, answer: string): boolean {
  const rest = text.slice(from);
  return rest.search(roughTag(answer)) >= 0 || /\\f?boxed\s{0,2}\{\s{0,9}\}/.test(rest);
}

function anyAnswer(text: string, from: number, answer: string): ParsedAnswer | null {
  const tagged = lastTagged(text, from, answer);
  if (tagged !== null) return tagged;
  const stated = lastField(text, from) ?? lastStated(text, from);
  const boxed = lastBoxed(text, from, text.length);
  if (stated !== null && boxed !== null) return boxed.start > stated.start ? boxed : stated;
  return stated ?? boxed ?? (opensAnswer(text, from, answer) ? null : untagged(text, from, answer));
}

/** The last `<answer>` with anything before the next tag or the end. Segments do not overlap, so this is linear. */
function lastTagged(text: string, from: number, answer: string): ParsedAnswer | null {
  let end = text.length;
  const closing = roughTag(answer, "/");
  for (const open of [...text.slice(from).matchAll(roughTag(answer))].reverse()) {
    const start = from + open.index + open[0].length;
    const close = text.slice(start, end).search(closing);
    const found = span(text, start, close < 0 ? cutTag(text, end, answer) : start + close);
    if (found !== null && hasContent(found.text)) return found;
    end = from + open.index;
  }
  return null;
}

/** The answer of a JSON object that the text states one in, unasked. */
function lastField(text: string, from: number): ParsedAnswer | null {
  const field = lastJsonAnswer(text.slice(from));
  if (field === null || lastStated(text, from + field.end) !== null) return null;
  return { text: field.text, start: from + field.start, end: from + field.end };
}

/** Where a text ends before a closing tag that was cut off: "yes</ans". */
function cutTag(text: string, end: number, answer: string): number {
  const cut = /<\/?[a-z]{0,20}$/i.exec(text.slice(Math.max(0, end - 22), end));
  return cut !== null && `</${answer}>`.startsWith(cut[0].toLowerCase()) ? end - cut[0].length : end;
}

/** "answer is", "**Answer**:", "answer：", "答案是", or a heading "Final answer" above the answer's line. */
const STATED =
  /(?<![\p{L}\p{N}])answer(?:\s{1,3}(?:is|(?:should|must|will)\sbe)\b|['’]s(?=\s)|[*_"'`\s]{0,4}[:：﹕]|\s?(?:[-=]>|[→⇒])|\s[–—-]\s|\s?=)[:：*_"'`“”]*|答案(?:是|为|[:：])[:：*_"'`“”]*|(?<=^[#*_\s]{0,8}(?:(?:the|my)\s)?(?:(?:final|correct)\s)?)answer[*_]{0,3}[ \t]{0,4}(?=\n)/gimu;

/** The last stated answer with anything after it, without quotes or emphasis around it. */
export function lastStated(text: string, from = 0): ParsedAnswer | null {
  let end = text.length;
  for (const match of [...text.slice(from).matchAll(STATED)].reverse()) {
    const start = from + match.index + match[0].length;
    const found = span(text, start, Math.min(end, sentenceEnd(text, start, end)), /[\s\p{Cf}*"'`“”]/u);
    if (found !== null) return found;
    end = from + match.index;
  }
  return null;
}

/** What the last `\boxed{…}` holds, without `\text{…}` and the like around it; null without one, or where it is empty. */
function lastBoxed(text: string, from: number, to: number): ParsedAnswer | null {
  const last = [...text.slice(from, to).matchAll(/\\f?boxed\s{0,2}\{|<\|begin_of_box\|>/g)].at(-1);
  if (last === undefined) return null;
  let start = from + last.index + last[0].length;
  let end = last[0].endsWith("{") ? closingBrace(text, start, to) : to;
  for (let depth = 0; depth < 4; depth++) [start, end] = innerCommand(text, start, end) ?? [start, end];
  return end < 0 ? null : span(text, start, end, /[\s\p{Cf}$]/u);
}

/** Where the brace that was opened before `from` closes; -1 where it does not. */
function closingBrace(text: string, from: number, to: number): number {
  let depth = 0;
  for (let i = from; i < to; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && depth-- === 0) return i;
  }
  return -1;
}

/** The content of `\text{…}` where it is all that stands in a range. */
function innerCommand(text: string, start: number, end: number): [number, number] | null {
  const command =
    end < 0 ? null : /^\s*\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox)\s?\{/.exec(text.slice(start, end));
  if (command === null) return null;
  const from = start + command[0].length;
  const close = closingBrace(text, from, end);
  return close >= 0 && text.slice(close + 1, end).trim() === "" ? [from, close] : null;
}

/** Everything up to a stray closing tag. */
function untagged(text: string, from: number, answer: string): ParsedAnswer | null {
  const close = text.slice(from).search(roughTag(answer, "/"));
  const before = close < 0 ? null : span(text, from, from + close);
  const found = before ?? span(text, from, text.length);
  return found !== null && hasContent(found.text) ? found : null;
}

/** End of the first sentence or line with anything in it; the dot of "B. left lung", of "5.6" or of "approx. 5" ends none. */
function sentenceEnd(text: string, from: number, to: number): number {
  let signs = 0;
  for (let i = from; i < to; i++) {
    const char = text[i]!;
    if (
      (char === "<" && /^<(?:[/|]?[a-z][^<>\n]{0,40}>|[/|][^<>\n]{0,40}$)/i.test(text.slice(i, i + 43))) ||
      (char === "\n" && signs > 0)
    )
      return i;
    if (/[。！？]/.test(char) && signs > 0) return i;
    const closes = /[.!?]/.test(char) && /[\s"'*]/.test(text[i + 1] ?? " ");
    if (closes && (signs > 1 || /\d/.test(text[i - 1] ?? "")) && !goesOn(text, from, i)) return i;
    if (/[\p{L}\p{N}]/u.test(char)) signs++;
  }
  return to;
}

/** Whether a dot ends an abbreviation ("approx. 5"), a genus ("E. coli") or the number of an item ("1. left lung"). */
function goesOn(text: string, from: number, dot: number): boolean {
  if (text[dot] !== ".") return false;
  const before = text.slice(Math.max(from, dot - 8), dot);
  if (/(?<![\p{L}\p{N}.])(?:approx|ca|cf|vs|dr|st|fig|incl|e\.g|i\.e)$/iu.test(before)) return true;
  const isLower = /^\.\s\p{Ll}/u.test(text.slice(dot, dot + 3));
  return isLower && (/(?<![\p{L}\p{N}])\p{Lu}$/u.test(before) || /^\s*\d{1,2}$/.test(text.slice(from, dot)));
}

/** The part of [start, end) without blank or invisible characters at its ends; null when nothing is left. */
function span(text: string, start: number, end: number, blank = /[\s\p{Cf}]/u): ParsedAnswer | null {
  let first = start;
  let last = end;
  while (first < last && blank.test(text[first]!)) first++;
  while (last > first && blank.test(text[last - 1]!)) last--;
  return first < last ? { text: text.slice(first, last), start: first, end: last } : null;
}

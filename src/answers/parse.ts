/** Finds the answer in a completion; a span is in UTF-16 offsets, and `completion.slice(start, end)` is its text. */
import { ANSWER_CLOSE, ANSWER_OPEN, type AnswerStyle, soleIndex, THINK_CLOSE } from "./tags.ts";

/** What a completion answers, and where it says so. Never empty. */
export interface ParsedAnswer {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface ParseOptions {
  readonly style?: AnswerStyle;
  readonly lenient?: boolean;
}

/**
 * The answer of a completion, or null when it gives none.
 *
 * Strict: exactly one `<answer>…</answer>`, not empty, and in the style `think_answer` not inside the thought; the plain
 * style takes the whole text. Lenient adds, on what follows the thought (else on everything): the last tag that holds
 * anything, closed or not; the last "answer is …" or "answer: …" up to the end of its sentence; the whole text.
 */
export function parseAnswer(completion: string, options: ParseOptions = {}): ParsedAnswer | null {
  const { style = "think_answer", lenient = false } = options;
  const strict = style === "plain" && !lenient ? span(completion, 0, completion.length) : soleAnswer(completion, style);
  if (strict !== null || !lenient) return strict;
  const thought = completion.lastIndexOf(THINK_CLOSE);
  const from = thought < 0 ? 0 : thought + THINK_CLOSE.length;
  return anyAnswer(completion, from) ?? (from > 0 ? anyAnswer(completion, 0) : null);
}

function soleAnswer(text: string, style: AnswerStyle): ParsedAnswer | null {
  const open = soleIndex(text, ANSWER_OPEN);
  const close = soleIndex(text, ANSWER_CLOSE);
  if (open < 0 || close < open) return null;
  if (style === "think_answer" && text.indexOf(THINK_CLOSE, open) >= 0) return null;
  return span(text, open + ANSWER_OPEN.length, close);
}

function anyAnswer(text: string, from: number): ParsedAnswer | null {
  return lastTagged(text, from) ?? lastStated(text, from) ?? untagged(text, from);
}

/** The last `<answer>` with anything before the next tag or the end. Segments do not overlap, so this is linear. */
function lastTagged(text: string, from: number): ParsedAnswer | null {
  let end = text.length;
  for (let open = text.lastIndexOf(ANSWER_OPEN); open >= from; open = text.lastIndexOf(ANSWER_OPEN, open - 1)) {
    const close = text.slice(open, end).indexOf(ANSWER_CLOSE);
    const found = span(text, open + ANSWER_OPEN.length, close < 0 ? end : open + close);
    if (found !== null || open === 0) return found;
    end = open;
  }
  return null;
}

/** The last "answer is …" or "answer: …" with anything after it, without quotes or emphasis around it. */
export function lastStated(text: string, from = 0): ParsedAnswer | null {
  const starts = [...text.slice(from).matchAll(/\banswer(?:\s{1,3}is\b|\s{0,3}:)[:*"'`“”]*/gi)];
  let end = text.length;
  for (const match of starts.reverse()) {
    const start = from + match.index + match[0].length;
    const found = span(text, start, Math.min(end, sentenceEnd(text, start, end)), /[\s\p{Cf}*"'`“”]/u);
    if (found !== null) return found;
    end = from + match.index;
  }
  return null;
}

/** Everything up to a stray closing tag. */
function untagged(text: string, from: number): ParsedAnswer | null {
  const close = text.indexOf(ANSWER_CLOSE, from);
  return (close < 0 ? null : span(text, from, close)) ?? span(text, from, text.length);
}

/** End of the first sentence or line with anything in it; the dot of "B. left lung" or of "5.6" ends none. */
function sentenceEnd(text: string, from: number, to: number): number {
  let signs = 0;
  for (let i = from; i < to; i++) {
    const char = text[i]!;
    if (char === "<" || (char === "\n" && signs > 0)) return i;
    const closes = /[.!?]/.test(char) && /[\s"'*]/.test(text[i + 1] ?? " ");
    if (closes && (signs > 1 || /\d/.test(text[i - 1] ?? ""))) return i;
    if (/[\p{L}\p{N}]/u.test(char)) signs++;
  }
  return to;
}

/** The part of [start, end) without blank or invisible characters at its ends; null when nothing is left. */
function span(text: string, start: number, end: number, blank = /[\s\p{Cf}]/u): ParsedAnswer | null {
  let first = start;
  let last = end;
  while (first < last && blank.test(text[first]!)) first++;
  while (last > first && blank.test(text[last - 1]!)) last--;
  return first < last ? { text: text.slice(first, last), start: first, end: last } : null;
}

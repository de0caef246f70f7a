/** What a protocol is: one way of finding the answer in a completion and comparing it; its name belongs to every figure. */
import type { ParsedAnswer } from "../../answers/parse.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Example } from "../../core/records.ts";

/** What one reading of a completion comes to. */
export interface Verdict {
  /** Null when the reading finds no answer. */
  readonly answer: ParsedAnswer | null;
  readonly correct: boolean;
  /** No answer, or one that names neither yes nor no, no single option, nothing at all. Such a verdict is never correct. */
  readonly parseFailure: boolean;
}

export interface Protocol {
  readonly name: string;
  readonly description: string;
  /** The answer as far as nothing is ambiguous or guessed. `thinkOpened`: the prompt has already written `<think>`. */
  strict(example: Example, completion: string, style: AnswerStyle, thinkOpened?: boolean): Verdict;
  /** For another tool's protocol its own verdict, guesses included, save those that are random. */
  lenient(example: Example, completion: string, style: AnswerStyle, thinkOpened?: boolean): Verdict;
}

/** A verdict about a text that a tool made of the completion; its span is where the text stands last, else everything. */
export function verdictOf(completion: string, text: string, outcome: Outcome): Verdict {
  const answer = text.trim() === "" ? null : spanOf(completion, text.trim());
  return { answer, correct: outcome === "right", parseFailure: outcome === "unreadable" };
}

/** How an answer compares with the reference. */
export type Outcome = "right" | "wrong" | "unreadable";

export function outcome(right: boolean): Outcome {
  return right ? "right" : "wrong";
}

function spanOf(completion: string, text: string): ParsedAnswer {
  const at = completion.toLowerCase().lastIndexOf(text.toLowerCase());
  const found = at < 0 ? completion : completion.slice(at, at + text.length);
  if (at >= 0 && found.toLowerCase() === text.toLowerCase()) return { text: found, start: at, end: at + text.length };
  const start = completion.length - completion.trimStart().length;
  const end = completion.trimEnd().length;
  return { text: completion.slice(start, end), start, end };
}

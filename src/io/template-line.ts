/** The line of a jinja template that an error is about, which the library that reads templates does not tell. */
import { Template } from "@huggingface/jinja";
import { messageOf } from "../core/errors.ts";

/** Longer templates are told without a line: each of their beginnings would be read. */
const MOST_LINES = 400;

/** Counted from 1; null where nothing shows it. */
export function templateLine(template: string, error: unknown): number | null {
  const lines = template.split("\n");
  if (lines.length > MOST_LINES) return null;
  const failure = failureOf(template);
  return failure === null ? lineNaming(lines, messageOf(error)) : lineFrom(lines, failure);
}

/** What is wrong, in words; the library stumbles over a template's end. */
export function templateProblem(error: unknown): string {
  const message = messageOf(error);
  const isEnd = /undefined \(reading 'type'\)|Unexpected end of input/.test(message);
  return isEnd ? "it ends within a block or an expression that is not closed" : message;
}

/** The first line from which on every beginning of the template fails as the whole does. */
function lineFrom(lines: readonly string[], failure: string): number {
  let line = lines.length;
  while (line > 1 && failureOf(lines.slice(0, line - 1).join("\n")) === failure) line--;
  return line;
}

/** The one line that has the longest words of the message: a filter's name, or what the template itself raised. */
function lineNaming(lines: readonly string[], message: string): number | null {
  const words = [message, message.slice(message.lastIndexOf(": ") + 2)].filter((word) => word.length > 2);
  const found = words.map((word) => lines.flatMap((line, i) => (line.includes(word) ? [i + 1] : [])));
  return found.find((places) => places.length === 1)?.[0] ?? null;
}

function failureOf(template: string): string | null {
  try {
    new Template(template);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Python's regular expressions, as PEFT's configurations hold them, read as JavaScript's. */
import { messageOf, UserError } from "../core/errors.ts";

/** The pattern anchored at both ends (Python's fullmatch); `key` names where it stands in the UserError for a bad one. */
export function fullMatch(source: string, key: string): RegExp {
  return translate("", source, "", key);
}

/** PEFT's rule for rank_pattern and alpha_pattern: the pattern is the name, or its end after a dot. */
export function endMatch(source: string, key: string): RegExp {
  return translate("(?:.*\\.)?", source, "", key);
}

/** PEFT's rule for layers_pattern: the pattern, anywhere after a dot, then a number; the first such number is group "idx". */
export function numberedMatch(source: string, key: string): RegExp {
  return translate("(?:.*?\\.)?", source, "\\.(?<idx>\\d+)\\..*", key);
}

/** Spellings that JavaScript lacks are put into its own; what it would misread or cannot read is refused. */
function translate(before: string, source: string, after: string, key: string): RegExp {
  const ignoresCase = source.startsWith("(?i)");
  const body = (ignoresCase ? source.slice(4) : source)
    .replaceAll("(?P<", "(?<")
    .replace(/\\([\s\S])/g, (pair, letter: string) => (letter === "A" ? "^" : letter === "Z" ? "$" : pair));
  if (source.includes("(?P=")) throw new UserError(`${key}: "${source}" refers back to a named group: write it out`);
  try {
    return new RegExp(`^${before}(?:${body})${after}$`, ignoresCase ? "i" : "");
  } catch (cause) {
    throw new UserError(`${key}: "${source}" is not a regular expression: ${messageOf(cause)}`, { cause });
  }
}

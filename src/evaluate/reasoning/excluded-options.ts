/**
 * The share of a choice question's wrong options that the reasoning rules out: named in a sentence that denies or excludes
 * them. Our reading of Clinical-R1's DRC, which is known by name only.
 */
import { deniedOptions, rightOption } from "../../answers/choice.ts";
import { sentences } from "../../answers/concepts/tokens.ts";
import type { Example } from "../../core/records.ts";

/** Null for questions without options or without a right one. */
export function excludedOptions(example: Example, rationale: string): number | null {
  if (example.answerType !== "choice" || example.choices.length < 2) return null;
  const right = rightOption(example);
  if (right < 0) return null;
  const denied = sentences(rationale).flatMap((tokens) => {
    return deniedOptions(rationale.slice(tokens[0]!.start, tokens.at(-1)!.end), example.choices);
  });
  const excluded = new Set(denied.filter((option) => option !== right));
  return excluded.size / (example.choices.length - 1);
}

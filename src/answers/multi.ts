/** Several of the options: which ones an answer names, by letter ("A, C", "A and C") or by text. */
import type { Example } from "../core/records.ts";
import { referenceOption } from "./choice.ts";
import { optionLetter } from "./labels.ts";
import { clean } from "./normalise.ts";

/** The indices of the options that an answer lists, in order; none for "none". Null where a part of it is no option. */
export function chosenOptions(answer: string, choices: readonly string[]): readonly number[] | null {
  const text = clean(answer).trim().replace(/\.$/, "");
  if (/^none(?: of (?:them|these|the above))?$/i.test(text)) return [];
  const whole = optionOf(text, choices);
  if (whole >= 0) return [whole];
  const parts = text
    .split(/\s*(?:[,、;&\n]|\band\b)\s*/i)
    .map((part) => part.replace(/^[-*•]\s+/, ""))
    .filter((part) => part !== "");
  const chosen = parts.map((part) => optionOf(part, choices));
  if (chosen.length === 0 || chosen.includes(-1)) return null;
  return [...new Set(chosen)].sort((a, b) => a - b);
}

/** The right options of a question; throws an `internal:` error for a reference that names none. */
export function rightOptions({ answer, choices }: Pick<Example, "answer" | "choices">): readonly number[] {
  const right = chosenOptions(answer, choices);
  if (right === null) throw new Error(`internal: rightOptions: "${answer}" is none of ${choices.join(" | ")}`);
  return right;
}

/** "A,C": as references are written. */
export function optionLetters(indices: readonly number[]): string {
  return [...indices]
    .sort((a, b) => a - b)
    .map(optionLetter)
    .join(",");
}

/** F1 of two sets of options, in [0, 1]; two empty ones are equal. */
export function optionsF1(given: readonly number[], right: readonly number[]): number {
  const common = given.filter((index) => right.includes(index)).length;
  return given.length + right.length === 0 ? 1 : (2 * common) / (given.length + right.length);
}

/** Agreement of two sets of options without repeats; two empty ones agree. */
export function setAgreement(
  given: readonly number[],
  right: readonly number[],
  by: "f1" | "jaccard" | "exact",
): number {
  const f1 = optionsF1(given, right);
  if (by === "f1") return f1;
  return by === "exact" ? Number(f1 === 1) : f1 / (2 - f1); // Jaccard's index is a function of F1
}

/** "C", "(C)", "C. ascites", "ascites"; -1 for anything else, a label beside another option's text included. */
function optionOf(part: string, choices: readonly string[]): number {
  const labelled = /^\(?([A-Za-z])\s?[).:]\s*(\S.*)$/.exec(part);
  const beside = labelled === null ? -1 : referenceOption(labelled[2]!, choices);
  if (beside < 0) return referenceOption(part, choices);
  return referenceOption(labelled![1]!, choices) === beside ? beside : -1;
}

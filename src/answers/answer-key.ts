/** What an answer says, in one form, so that two answers to a question can be told to be the same or not. */
import { chosenOption } from "./choice.ts";
import { polarity, referencePolarity } from "./closed.ts";
import type { Question } from "./match.ts";
import { chosenOptions, optionLetters } from "./multi.ts";
import { normalise } from "./normalise.ts";
import { numberOf } from "./number.ts";

/** The option's text as it is written, several options' letters, a number, "yes" or "no", else the normalised text; null where the answer says none of them. */
export function answerKey({ answer, answerType, choices, target }: Question, given: string | null): string | null {
  if (given === null) return null;
  if (answerType === "choice") {
    const chosen = chosenOption(given, choices);
    return chosen === null ? null : choices[chosen.index]!;
  }
  if (answerType === "multi") {
    const chosen = chosenOptions(given, choices);
    return chosen === null ? null : optionLetters(chosen);
  }
  if (answerType === "numeric") return numberOf(given, target?.unit)?.toString() ?? null;
  if (answerType === "closed" && referencePolarity(answer) !== null) return polarity(given);
  return normalise(given) || null;
}

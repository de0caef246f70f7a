/** What an answer says, in one form, so that two answers to a question can be told to be the same or not. */
import { chosenOption } from "./choice.ts";
import { polarity, referencePolarity } from "./closed.ts";
import type { Question } from "./match.ts";
import { normalise } from "./normalise.ts";

/** The option's text as it is written, "yes" or "no", else the normalised text; null where the answer says none of them. */
export function answerKey({ answer, answerType, choices }: Question, given: string | null): string | null {
  if (given === null) return null;
  if (answerType === "choice") {
    const chosen = chosenOption(given, choices);
    return chosen === null ? null : choices[chosen.index]!;
  }
  if (answerType === "closed" && referencePolarity(answer) !== null) return polarity(given);
  return normalise(given) || null;
}

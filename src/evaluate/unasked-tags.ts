/** Tells a model that answers in tags from one that was asked for them: a plain prompt takes the whole completion for its answer. */
import { ANSWER_OPEN, type AnswerStyle } from "../answers/tags.ts";

/** One sentence where most completions to a plain prompt have an answer tag; null otherwise. */
export function unaskedTags(style: AnswerStyle, texts: readonly string[]): string | null {
  const tagged = texts.filter((text) => text.includes(ANSWER_OPEN)).length;
  if (style !== "plain" || tagged * 2 <= texts.length) return null;
  return `${tagged} of ${texts.length} answers have an <answer> tag, which the prompt "plain" does not ask for and counts as words of the answer: name the prompt that the model was trained with, --prompt think_answer or answer_only`;
}

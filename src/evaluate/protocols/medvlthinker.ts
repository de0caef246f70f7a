/**
 * Scores as MedVLThinker does: the answer is the label, "label. text" or the text, ignoring case. Lenient searches the
 * completion as the tool does (the last tag, "answer:", "answer is", "is:", the whole text); strict knows only the tag.
 */
import { optionLetter, rightOption } from "../../answers/choice.ts";
import { referencePolarity } from "../../answers/closed.ts";
import type { Example } from "../../core/records.ts";
import { type Outcome, outcome, type Protocol, verdictOf } from "./protocol.ts";

export const medvlthinker: Protocol = {
  name: "medvlthinker",
  description: 'MedVLThinker: the label, "label. text" or the text; lenient searches phrases as the tool does',
  strict(example, completion) {
    const text = lastTag(completion) ?? withoutTags(completion);
    return verdictOf(completion, text, compare(example, text));
  },
  lenient(example, completion) {
    const text = withoutTags(searched(completion));
    return verdictOf(completion, text, compare(example, text));
  },
};

function compare(example: Example, text: string): Outcome {
  const { answer, answerType, choices } = example;
  const said = text.trim().toLowerCase();
  if (answerType === "choice") {
    const right = rightOption(example);
    const named = choices.findIndex((choice, i) => {
      const label = optionLetter(i).toLowerCase();
      return [`${label}. ${choice}`.trim().toLowerCase(), label, choice.trim().toLowerCase()].includes(said);
    });
    return named < 0 ? "unreadable" : outcome(named === right);
  }
  if (said === answer.trim().toLowerCase()) return "right";
  const polar = answerType === "closed" && referencePolarity(answer) !== null;
  return said === "" || (polar && said !== "yes" && said !== "no") ? "unreadable" : "wrong";
}

/** The first line of the last answer tag. */
function lastTag(completion: string): string | null {
  const content = Array.from(completion.matchAll(/<answer>(.*?)<\/answer>/gs)).at(-1)?.[1];
  return content === undefined
    ? null
    : (content
        .trim()
        .match(/[^\n\r]+/)?.[0]
        .trim() ?? "");
}

const PHRASES = [/answer:\s*(.*)\s*/gi, /answer is:\s*(.*)\s*/gi, /answer is\s*(.*)\s*/gi, /is:\s*(.*)\s*/gi];

function searched(completion: string): string {
  const tag = lastTag(completion);
  if (tag !== null) return tag;
  for (const phrase of PHRASES) {
    const found = Array.from(completion.matchAll(phrase)).at(-1);
    if (found !== undefined) return found[1]!.trim();
  }
  return completion.trim();
}

function withoutTags(text: string): string {
  return text.replace(/<\/?(?:think|answer)>/g, "").trim();
}

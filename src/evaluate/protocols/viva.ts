/** viva's own protocol: its tags, its normalisation, nothing guessed. */
import { matchAnswer } from "../../answers/match.ts";
import { parseAnswer } from "../../answers/parse.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Example } from "../../core/records.ts";
import type { Protocol, Verdict } from "./protocol.ts";

export const viva: Protocol = {
  name: "viva",
  description: "one <answer> tag (or the plain text), normalised comparison, nothing guessed",
  strict: (example, completion, style) => judge(example, completion, style, false),
  lenient: (example, completion, style) => judge(example, completion, style, true),
};

function judge(example: Example, completion: string, style: AnswerStyle, lenient: boolean): Verdict {
  const answer = parseAnswer(completion, { style, lenient });
  const { correct, parseFailure } = matchAnswer(example, answer?.text ?? null);
  return { answer, correct, parseFailure };
}

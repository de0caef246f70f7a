/** viva's own protocol: its tags, its normalisation, nothing guessed. */
import { matchAnswer } from "../../answers/match.ts";
import { type ParseOptions, parseAnswer } from "../../answers/parse.ts";
import type { Example } from "../../core/records.ts";
import type { Protocol, Verdict } from "./protocol.ts";

export const viva: Protocol = {
  name: "viva",
  description: "one <answer> tag (or the plain text), normalised comparison, nothing guessed",
  strict: (example, completion, style, thinkOpened) => judge(example, completion, { style, thinkOpened }),
  lenient: (example, completion, style, thinkOpened) =>
    judge(example, completion, { style, thinkOpened, lenient: true }),
};

function judge(example: Example, completion: string, options: ParseOptions): Verdict {
  const answer = parseAnswer(completion, options);
  const { correct, parseFailure } = matchAnswer(example, answer?.text ?? null);
  return { answer, correct, parseFailure };
}

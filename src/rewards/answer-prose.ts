/** 1 where a completion keeps its form and its answer part says more than the bare answer, else 0. */
import { z } from "zod";
import { chosenOption } from "../answers/choice.ts";
import { polarity } from "../answers/closed.ts";
import { normalisedTokens } from "../answers/normalise.ts";
import { containsReference } from "../answers/open.ts";
import { parseAnswer } from "../answers/parse.ts";
import { followsStyle } from "../answers/tags.ts";
import type { Example } from "../core/records.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const answerProseOptions = z.object({ think_opened: z.boolean().optional() });

export const answerProse = defineReward("answer_prose", answerProseOptions, (given, context): Reward => {
  const style = context.style ?? "think_answer";
  const thinkOpened = given.think_opened ?? context.thinkOpened ?? false;
  const judge = (example: Example, text: string) => {
    const answer = followsStyle(text, style, thinkOpened) ? parseAnswer(text, { style, thinkOpened }) : null;
    return Number(answer !== null && hasProse(example, answer.text));
  };
  return {
    name: "answer_prose",
    range: [0, 1],
    score: (example, completions) => completions.map(({ text }) => judge(example, text)),
  };
});

/** An option's text and letter, a yes or no, or the reference are the bare answer; prose is any word besides. */
export function hasProse({ answerType, answer, choices }: Example, text: string): boolean {
  const words = normalisedTokens(text);
  if (answerType === "choice") {
    const chosen = chosenOption(text, choices);
    return chosen !== null && words.length > normalisedTokens(choices[chosen.index]!).length + 1;
  }
  if (answerType === "closed" && polarity(text) !== null) return words.length > 1;
  return containsReference(text, answer) && words.length > normalisedTokens(answer).length;
}

/**
 * Several of the options (OphthaReason, arXiv 2508.16129): how far the set that is named agrees with the right one; what
 * cannot be read scores 0. Values in [0, 1].
 */
import { z } from "zod";
import { chosenOptions, rightOptions, setAgreement } from "../answers/multi.ts";
import { parseAnswer } from "../answers/parse.ts";
import { answerStyles } from "../answers/tags.ts";
import type { Completion, Example } from "../core/records.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const choiceSetOptions = z.object({
  /** F1 of the two sets, their overlap over their union, or 1 only where they are equal. */
  by: z.enum(["f1", "jaccard", "exact"]).default("f1"),
  lenient: z.boolean().default(false),
  style: z.enum(answerStyles).optional(),
});

export const choiceSet = defineReward("choice_set", choiceSetOptions, (options, context): Reward => {
  const { by, lenient, ...given } = options;
  const style = given.style ?? context.style ?? "think_answer";

  function score(example: Example, { text }: Completion): number | null {
    if (example.answerType !== "multi") return null;
    const answer = parseAnswer(text, { style, lenient, thinkOpened: context.thinkOpened })?.text ?? null;
    const chosen = answer === null ? null : chosenOptions(answer, example.choices);
    return chosen === null ? 0 : setAgreement(chosen, rightOptions(example), by);
  }

  return {
    name: "choice_set",
    range: [0, 1],
    score: (example, completions) => completions.map((completion) => score(example, completion)),
  };
});

/**
 * Whether the answer says rightly that the patient has died or lives ("1:DECEASED", OncoReason, arXiv 2510.17532): 1 or 0. Null
 * for questions without a survival time.
 */
import { z } from "zod";
import { parseAnswer } from "../answers/parse.ts";
import { statusOf } from "../answers/survival.ts";
import { answerStyles } from "../answers/tags.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const survivalStatusOptions = z.object({
  lenient: z.boolean().default(false),
  style: z.enum(answerStyles).optional(),
});

export const survivalStatus = defineReward(
  "survival_status",
  survivalStatusOptions,
  ({ lenient, ...given }, context): Reward => {
    const style = given.style ?? context.style ?? "think_answer";
    return {
      name: "survival_status",
      range: [0, 1],
      score: ({ target }, completions) =>
        completions.map(({ text }) => {
          if (target?.event === undefined) return null;
          const answer = parseAnswer(text, { style, lenient, thinkOpened: context.thinkOpened });
          return answer !== null && statusOf(answer.text) === target.event ? 1 : 0;
        }),
    };
  },
);

/** CRPO's reward: 10 for the answer, 1 for the form and 0.5 more for prose beside the answer, 0.5 for English; 12 at most. */
import { accuracy } from "./accuracy.ts";
import { answerProse } from "./answer-prose.ts";
import { composite } from "./composite.ts";
import { english } from "./english.ts";
import { format } from "./format.ts";

export const crpo = composite("crpo", {
  accuracy: { reward: accuracy, weight: 10 },
  format: { reward: format, weight: 1 },
  answer_prose: { reward: answerProse, weight: 0.5 },
  english: { reward: english, weight: 0.5 },
});

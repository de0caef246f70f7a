/** Whether an answer is right, for rewards that ask no more: the options and the reading are those of `accuracy`. */
import { z } from "zod";
import { matchAnswer } from "../answers/match.ts";
import { parseAnswer } from "../answers/parse.ts";
import { answerStyles } from "../answers/tags.ts";
import type { Example } from "../core/records.ts";
import type { RewardContext } from "./reward.ts";

export const correctnessOptions = {
  open: z.enum(["exact", "contains"]).default("exact"),
  lenient: z.boolean().default(false),
  synonyms: z.boolean().default(true),
  style: z.enum(answerStyles).optional(),
};

type Correctness = z.output<z.ZodObject<typeof correctnessOptions>>;

/** Judges a completion's text; what cannot be read is wrong. */
export function correctness(
  { open, lenient, synonyms, ...given }: Correctness,
  context: RewardContext,
): (example: Example, text: string) => boolean {
  const style = given.style ?? context.style ?? "think_answer";
  const known = synonyms ? context.vocabulary : undefined;
  return (example, text) => {
    const answer = parseAnswer(text, { style, lenient, thinkOpened: context.thinkOpened })?.text ?? null;
    return matchAnswer(example, answer, { open, synonyms: known }).correct;
  };
}

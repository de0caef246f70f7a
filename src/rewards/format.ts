/** Does the completion keep to the format? 1 or 0; the style `tags` gives 0.25 for each of the four tags that stands once. */
import { z } from "zod";
import { answerStyles, followsStyle, tagShare } from "../answers/tags.ts";
import { UserError } from "../core/errors.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const formatOptions = z.object({
  style: z
    .enum([...answerStyles, "tags"])
    .exclude(["plain"])
    .optional(),
  think_opened: z.boolean().optional(),
});

/** Throws UserError where the prompt's style is plain and no style is given: there is no format to keep to. */
export const format = defineReward("format", formatOptions, (given, context): Reward => {
  const style = given.style ?? context.style ?? "think_answer";
  const thinkOpened = given.think_opened ?? context.thinkOpened ?? false;
  if (style === "plain") {
    throw new UserError('reward "format": the plain prompt asks for no format; drop the reward or give it a style');
  }
  const judge = (text: string) =>
    style === "tags" ? tagShare(text, thinkOpened) : Number(followsStyle(text, style, thinkOpened));
  return { name: "format", range: [0, 1], score: (_, completions) => completions.map(({ text }) => judge(text)) };
});

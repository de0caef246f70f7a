/** Tags of the prompt's form within the data: the prompt writes them, and within an answer they would be taught and asked for twice. */
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import type { AnswerStyle } from "./tags.ts";

const TAG = /<\s{0,4}\/?\s{0,4}(?:think|answer)\s{0,4}>/i;

/** Throws UserError for an answer, an option or a rationale with such a tag. The plain style has no tags of its own. */
export function refuseTags({ answer, choices, rationale = "" }: Example, style: AnswerStyle): void {
  if (style === "plain") return;
  for (const [what, text] of [
    ["answer", answer],
    ...choices.map((choice) => ["option", choice]),
    ["rationale", rationale],
  ]) {
    const tag = TAG.exec(text!)?.[0];
    if (tag === undefined) continue;
    throw new UserError(
      `its ${what} contains "${tag}", which the prompt's style ${style} writes itself: take it out of the data`,
    );
  }
}

/** Tags of the prompt's form within the data: the prompt writes them, and within an answer they would be taught and asked for twice. */
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type AnswerStyle, TAGS_OF } from "./tags.ts";

/**
 * Throws UserError for an answer, an option or a rationale with such a tag, or with a token of chat templates. The plain style
 * has no tags of its own.
 */
export function refuseTags({ answer, choices, rationale = "" }: Example, style: AnswerStyle): void {
  refuseTemplateTokens([answer, ...choices, rationale]);
  if (style === "plain") return;
  const names = style === "answer_only" ? TAGS_OF.think_answer : TAGS_OF[style];
  const own = new RegExp(`<\\s{0,4}/?\\s{0,4}(?:${names.join("|")})\\s{0,4}>`, "i");
  for (const [what, text] of [
    ["answer", answer],
    ...choices.map((choice) => ["option", choice]),
    ["rationale", rationale],
  ]) {
    const tag = own.exec(text!)?.[0];
    if (tag === undefined) continue;
    throw new UserError(
      `its ${what} contains "${tag}", which the prompt's style ${style} writes itself: take it out of the data`,
    );
  }
}

/** What ends a turn would end the taught completion, and no answer that is read holds it. */
function refuseTemplateTokens(texts: readonly string[]): void {
  const token = texts
    .map((text) => /<\|[a-z_]{2,40}\|>|<\/s>|<(?:eos|end_of_turn|end_of_utterance)>/.exec(text)?.[0])
    .find(Boolean);
  if (token !== undefined)
    throw new UserError(
      `its answer, an option or its rationale contains "${token}", which chat templates write: take it out of the data`,
    );
}

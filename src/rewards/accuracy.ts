/** Is the answer right? By the example's answer type; an answer that cannot be read scores 0. Values in [0, 1]. */
import { z } from "zod";
import { type AnswerMatch, matchAnswer } from "../answers/match.ts";
import { type ParsedAnswer, parseAnswer } from "../answers/parse.ts";
import { answerStyles, followsStyle } from "../answers/tags.ts";
import type { Completion, Evidence, Example } from "../core/records.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const accuracyOptions = z.object({
  /** How open answers are compared. */
  open: z.enum(["exact", "f1", "contains"]).default("exact"),
  /** Also looks for an answer outside its tag. */
  lenient: z.boolean().default(false),
  /** Half the point for the right option with text besides (MedVLM-R1). */
  graded: z.boolean().default(false),
  /** Open answers: terms of one medical concept count as the same. */
  synonyms: z.boolean().default(true),
  /** A completion that breaks the format scores 0 (MedVLThinker). */
  gate_by_format: z.boolean().default(false),
  style: z.enum(answerStyles).optional(),
  think_opened: z.boolean().optional(),
});

export const accuracy = defineReward("accuracy", accuracyOptions, (options, context): Reward => {
  const { open, lenient, graded, synonyms, gate_by_format, ...given } = options;
  const style = given.style ?? context.style ?? "think_answer";
  const known = synonyms ? context.vocabulary : undefined;
  const thinkOpened = given.think_opened ?? context.thinkOpened ?? false;

  function judge(example: Example, text: string): AnswerMatch & { readonly parsed: ParsedAnswer | null } {
    const parsed = parseAnswer(text, { style, lenient, thinkOpened });
    return { ...matchAnswer(example, parsed?.text ?? null, { open, graded, synonyms: known }), parsed };
  }

  function score(example: Example, { text }: Completion): number {
    return gate_by_format && !followsStyle(text, style, thinkOpened) ? 0 : judge(example, text).score;
  }

  function evidence(example: Example, { text }: Completion): readonly Evidence[] {
    const { parsed, correct, parseFailure } = judge(example, text);
    if (parsed === null) return [];
    const { start, end } = parsed;
    return [{ reward: "accuracy", start, end, label: "answer", verdict: parseFailure ? "unknown" : correct }];
  }

  return {
    name: "accuracy",
    range: [0, 1],
    score: (example, completions) => completions.map((completion) => score(example, completion)),
    evidence: (example, completions) => completions.map((completion) => evidence(example, completion)),
  };
});

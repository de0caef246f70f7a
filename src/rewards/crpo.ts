/**
 * The reward of Clinical-R1 (code: BoyangGu1/Clinical-R1-3B at 109ebdb, medical_rule_based.py): 10 for the answer, 1 for the
 * form and 0.5 more for prose beside the answer, 0.5 for English; 12 at most.
 */
import { z } from "zod";
import { optionLetter, rightOption } from "../answers/choice.ts";
import { matchAnswer } from "../answers/match.ts";
import { ANSWER_CLOSE, ANSWER_OPEN, THINK_OPEN } from "../answers/tags.ts";
import type { Example } from "../core/records.ts";
import { hasProse } from "./answer-prose.ts";
import { defineReward } from "./options.ts";
import type { Reward, RewardContext } from "./reward.ts";

const WEIGHTS = { accuracy: 10, format: 1, english: 0.5 } as const;
type Part = keyof typeof WEIGHTS;

const crpoOptions = z.object({
  /** Where the answer stands: a letter in \boxed{}, as in the source, or viva's own tag. */
  answer: z.enum(["tag", "boxed"]).default("tag"),
  /** What answers in wrong number cost at most; null: as many points as there are. */
  accuracy_floor: z.number().max(0).nullable().default(-1),
  /** One part alone, unweighted, for estimators that scale each by itself. */
  part: z.enum(["all", "accuracy", "format", "english"]).default("all"),
  think_opened: z.boolean().optional(),
});

export const crpo = defineReward("crpo", crpoOptions, (o, context): Reward => {
  const form = forms[o.answer];
  const opened = o.think_opened ?? context.thinkOpened ?? false;
  const floor = o.accuracy_floor ?? Number.NEGATIVE_INFINITY;
  const parts: Readonly<Record<Part, (example: Example, text: string) => number>> = {
    accuracy: (example, text) => Math.max(floor, form.accuracy(example, text, context)),
    format: (example, text) => formScore(example, text, form),
    english: (_, text) => englishShare(text),
  };
  const chosen = o.part === "all" ? (Object.keys(parts) as Part[]) : [o.part];
  const weight = (part: Part) => (o.part === "all" ? WEIGHTS[part] : 1);
  const bounds = { accuracy: [floor, 1], format: [0, 1.5], english: [0, 1] } as const;
  const bound = (side: 0 | 1) => chosen.reduce((sum, part) => sum + weight(part) * bounds[part][side], 0);
  return {
    name: "crpo",
    range: [bound(0), bound(1)],
    score: (example, completions) =>
      completions.map(({ text }) => {
        const whole = (opened ? THINK_OPEN : "") + text.trim();
        return chosen.reduce((sum, part) => sum + weight(part) * parts[part](example, whole), 0);
      }),
  };
});

/** How an answer is marked. */
interface AnswerForm {
  /** 1 or 0 where there is one that can be read, −0.5 where it cannot, −1 where it does not end, else −1 for each. */
  accuracy(example: Example, text: string, context: RewardContext): number;
  /** Whether the answer's part has one answer and words besides. */
  hasProse(example: Example, answer: string): boolean;
}

const forms: Readonly<Record<"tag" | "boxed", AnswerForm>> = {
  boxed: {
    accuracy(example, text) {
      const count = countOf(text, "\\boxed");
      if (count !== 1) return 0 - count;
      const [, said] = /\\boxed\{([^\n]*?)\}/.exec(text) ?? [];
      if (said === undefined) return -1;
      if (!/^[A-Z]$/.test(said)) return -0.5;
      return Number(said === optionLetter(rightOption(example)));
    },
    hasProse(_, answer) {
      const boxes = [...answer.matchAll(/\\boxed\{[^\n]*?\}/g)];
      return boxes.length === 1 && boxes[0]![0] !== answer.trim();
    },
  },
  tag: {
    accuracy(example, text, { vocabulary }) {
      const count = countOf(text, ANSWER_OPEN);
      if (count !== 1) return 0 - count;
      const said = text.slice(text.indexOf(ANSWER_OPEN) + ANSWER_OPEN.length);
      const close = said.indexOf(ANSWER_CLOSE);
      if (close < 0) return -1;
      const { correct, parseFailure } = matchAnswer(example, said.slice(0, close).trim(), { synonyms: vocabulary });
      return parseFailure ? -0.5 : Number(correct);
    },
    hasProse,
  },
};

/** 1 for `<think>…</think>`, white space, `<answer>…</answer>` and nothing else; 0.5 more for prose in the answer. */
function formScore(example: Example, text: string, form: AnswerForm): number {
  if (!text.startsWith(THINK_OPEN) || !text.endsWith(ANSWER_CLOSE)) return 0;
  const between = /<\/think>\s*<answer>/.exec(text);
  if (between === null || between.index < THINK_OPEN.length) return 0;
  const start = between.index + between[0].length;
  const end = text.length - ANSWER_CLOSE.length;
  if (end < start) return 0;
  return form.hasProse(example, text.slice(start, end)) ? 1.5 : 1;
}

/** The share of characters that are the source's: letters and digits, blanks and line breaks, and ASCII's marks. */
function englishShare(text: string): number {
  let all = 0;
  let own = 0;
  for (const character of text) {
    all++;
    if (/[\n -~]/.test(character)) own++;
  }
  return all === 0 ? 0 : own / all;
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

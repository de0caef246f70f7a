/**
 * How close a number comes to the target: 1 within the tolerance, falling in a straight line to 0 at `scale` (OncoReason's
 * tasks, arXiv 2510.17532; the rule is ours). A censored time is met by every later one. Values in [0, 1].
 */
import { z } from "zod";
import { numberOf, targetOf } from "../answers/number.ts";
import { parseAnswer } from "../answers/parse.ts";
import type { Completion, Example } from "../core/records.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const numericOptions = z.object({
  /** The distance at which nothing is left: in the target's unit, or of logarithms with `log`. */
  scale: z.number({ error: "a number above 0, such as the standard deviation of the training targets" }).positive(),
  /** The distance that still counts as right; the question's own tolerance where that is larger. */
  tolerance: z.number().min(0).default(0),
  /** Compare ln(1 + value), for times and sizes that span orders of magnitude. */
  log: z.boolean().default(false),
  lenient: z.boolean().default(false),
  style: z.enum(["think_answer", "answer_only", "plain"]).optional(),
});

export const numeric = defineReward("numeric", numericOptions, (options, context): Reward => {
  const { scale, tolerance, log, lenient, ...given } = options;
  const style = given.style ?? context.style ?? "think_answer";

  function score(example: Example, { text }: Completion): number | null {
    if (example.answerType !== "numeric") return null;
    const target = targetOf(example);
    if (target === null) return null;
    const answer = parseAnswer(text, { style, lenient, thinkOpened: context.thinkOpened })?.text ?? null;
    const value = answer === null ? null : numberOf(answer, target.unit);
    if (value === null) return 0;
    if (target.event === false && value >= target.value) return 1;
    const distance = log ? logDistance(value, target.value) : Math.abs(value - target.value);
    if (distance <= Math.max(tolerance, target.tolerance ?? 0)) return 1;
    return Math.max(0, 1 - distance / scale);
  }

  return {
    name: "numeric",
    range: [0, 1],
    score: (example, completions) => completions.map((completion) => score(example, completion)),
  };
});

/** |ln((1 + a) / (1 + b))|; infinitely far where a is -1 or less. */
function logDistance(a: number, b: number): number {
  return a <= -1 || b <= -1 ? Number.POSITIVE_INFINITY : Math.abs(Math.log((1 + a) / (1 + b)));
}

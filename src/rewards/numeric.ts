/**
 * How close a number comes to the target: 1 within the tolerance, falling in a straight line to 0 at `scale` (OncoReason's
 * tasks, arXiv 2510.17532; the rule is ours). A censored time is met by every later one. Values in [0, 1].
 */
import { z } from "zod";
import { numberOf, targetOf } from "../answers/number.ts";
import { parseAnswer } from "../answers/parse.ts";
import { answerStyles } from "../answers/tags.ts";
import { UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import type { Completion, Example, NumericTarget } from "../core/records.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const SCALE = "a number above 0, or train_std";

const numericOptions = z.object({
  /**
   * The distance at which nothing is left: in the target's unit, or of logarithms with `log`; `train_std` is the deviation of the
   * training data's targets of that unit.
   */
  scale: z
    .union([z.number().positive({ error: SCALE }), z.literal("train_std")], { error: SCALE })
    .default("train_std"),
  /** The distance that still counts as right; the question's own tolerance where that is larger. */
  tolerance: z.number().min(0).default(0),
  /** Compare ln(1 + value), for times and sizes that span orders of magnitude. */
  log: z.boolean().default(false),
  lenient: z.boolean().default(false),
  style: z.enum(answerStyles).optional(),
});

export const numeric = defineReward("numeric", numericOptions, (options, context): Reward => {
  const { scale, tolerance, log, lenient, ...given } = options;
  const style = given.style ?? context.style ?? "think_answer";
  const scaleOf = scaleIn(scale, log, context.trainTargets);

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
    return Math.max(0, 1 - distance / scaleOf(target.unit ?? ""));
  }

  return {
    name: "numeric",
    range: [0, 1],
    score: (example, completions) => completions.map((completion) => score(example, completion)),
  };
});

/**
 * The scale by unit. Throws UserError where it is to come from training data that is not there or has no two different targets
 * of a unit.
 */
function scaleIn(
  scale: number | "train_std",
  log: boolean,
  targets: readonly NumericTarget[] | undefined,
): (unit: string) => number {
  if (scale !== "train_std") return () => scale;
  if (targets === undefined) {
    throw new UserError('reward "numeric": scale: train_std is known in training alone; give a number');
  }
  const units = [...new Set(targets.map(({ unit = "" }) => unit))];
  const scales = new Map(
    units.map((unit) => {
      const values = targets.flatMap((target) => {
        if ((target.unit ?? "") !== unit || target.event === false) return [];
        return [log ? Math.log(1 + target.value) : target.value];
      });
      const mean = meanOf(values);
      const deviation = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
      if (!(deviation > 0)) {
        const what = unit === "" ? "plain numbers" : unit;
        throw new UserError(
          `reward "numeric": scale: train_std: the training targets in ${what} do not differ (${values.length} known); give a number`,
        );
      }
      return [unit, deviation] as const;
    }),
  );
  return (unit) => scales.get(unit) ?? Number.POSITIVE_INFINITY;
}

/** |ln((1 + a) / (1 + b))|; infinitely far where a is -1 or less. */
function logDistance(a: number, b: number): number {
  return a <= -1 || b <= -1 ? Number.POSITIVE_INFINITY : Math.abs(Math.log((1 + a) / (1 + b)));
}

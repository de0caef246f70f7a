/** Checks the options of a reward as a recipe gives them; every mistake is one sentence that names reward and option. */
import type { z } from "zod";
import { UserError } from "../core/errors.ts";
import { nearest } from "../core/suggest.ts";
import type { RewardContext } from "./reward.ts";

/** The options, checked; throws UserError for an unknown option (with the nearest known one) or a wrong value. */
export function readOptions<Shape extends z.ZodRawShape>(
  reward: string,
  schema: z.ZodObject<Shape>,
  options: unknown,
): z.output<z.ZodObject<Shape>> {
  const known = Object.keys(schema.shape);
  const given = typeof options === "object" && options !== null ? Object.keys(options) : [];
  for (const key of given) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near === null ? `its options are ${known.join(", ")}` : `did you mean "${near}"?`;
    throw new UserError(`reward "${reward}": unknown option "${key}"; ${hint}`);
  }
  const checked = schema.safeParse(options);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0]!;
  throw new UserError(`reward "${reward}": option "${issue.path.join(".")}": ${issue.message}`);
}

/** A limit in tokens: the option, else the stage's max_completion_length; throws UserError where there is neither. */
export function lengthLimit(reward: string, option: string, given: number | undefined, context: RewardContext): number {
  const limit = given ?? context.maxCompletionLength;
  if (limit === undefined)
    throw new UserError(`reward "${reward}": ${option} must be given where no stage has a limit`);
  return limit;
}

/** A reward beside the schema of its options; every mistake in them is one sentence that names reward and option. */
import type { z } from "zod";
import { UserError } from "../core/errors.ts";
import { wordingOf } from "../core/issues.ts";
import { nearest } from "../core/suggest.ts";
import type { Reward, RewardContext } from "./reward.ts";

/** Makes a reward of a recipe's options, which it checks; throws UserError for options it cannot use. */
export interface RewardFactory {
  (options: never, context?: RewardContext): Reward | Promise<Reward>;
  /** What a recipe may give it besides its weight, with defaults. */
  readonly options: z.ZodObject;
  /** Options that name files or folders: a recipe's are found from the recipe. */
  readonly paths?: readonly string[];
}

/** A reward's factory: `options` is all that recipes and editors know of its options, `make` is handed them checked. */
export function defineReward<Options extends z.ZodObject, Made extends Reward | Promise<Reward>>(
  name: string,
  options: Options,
  make: (options: z.output<Options>, context: RewardContext) => Made,
  paths: readonly (keyof z.output<Options> & string)[] = [],
) {
  const factory = (given = {} as z.input<Options>, context: RewardContext = {}) =>
    make(readOptions(name, options, given), context);
  return Object.assign(factory, { options, paths });
}

/** The options, checked; throws UserError for an unknown option (with the nearest known one) or a wrong value. */
function readOptions<Options extends z.ZodObject>(
  reward: string,
  schema: Options,
  options: unknown,
): z.output<Options> {
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
  throw new UserError(`reward "${reward}": option "${issue.path.join(".")}": ${wordingOf(issue)}`);
}

/** A limit in tokens: the option, else the stage's max_completion_length; throws UserError where there is neither. */
export function lengthLimit(reward: string, option: string, given: number | undefined, context: RewardContext): number {
  const limit = given ?? context.maxCompletionLength;
  if (limit === undefined)
    throw new UserError(`reward "${reward}": ${option} must be given where no stage has a limit`);
  return limit;
}

/** The most solved examples that stand before a question of a recipe: what its longest prompts hold. */
import type { Shots } from "../answers/prompts.ts";
import type { Example } from "../core/records.ts";
import { shotsFrom } from "../evaluate/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isSupervised } from "../recipes/stage-kinds.ts";
import { shotsOf } from "../train/sft.ts";

type ShotsOf = { readonly shots?: (example: Example) => Shots };

/** Of the supervised stage with the most of them; nothing where no stage has any. */
export function trainingShots({ stages, seed }: Recipe, train: readonly Example[]): ShotsOf {
  const [most] = stages.filter(isSupervised).sort((a, b) => b.in_context_examples - a.in_context_examples);
  if (most === undefined || most.in_context_examples === 0) return {};
  return { shots: (example) => shotsOf({ examples: train, seed }, most, example) };
}

/** Of the evaluation with the most of them; nothing where none has any. */
export function evaluationShots({ evaluate, seed }: Recipe, train: readonly Example[]): ShotsOf {
  const count = Math.max(0, ...(evaluate?.shots ?? []));
  return count === 0 ? {} : { shots: shotsFrom(train, { count, seed }) };
}

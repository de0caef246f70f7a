/**
 * Which way of reasoning an evaluation asks for: none, one that the recipe names, or the one that does best on validation
 * questions, which are neither trained nor tested on.
 */
import { UserError } from "../core/errors.ts";
import type { Example, Variant } from "../core/records.ts";
import type { Recipe } from "../recipes/schema.ts";
import { needsOf } from "../recipes/stage-kinds.ts";
import { loadExamples } from "../session/examples.ts";

/** Validation questions that decide. */
const QUESTIONS = 104;
const BEST = "best_on_validation";

export interface ParadigmAtTest {
  /** Null: questions as they are. */
  readonly variant: Variant | null;
  /** By paradigm, accuracy on the validation questions; absent where nothing had to be chosen. */
  readonly validation?: Readonly<Record<string, number>>;
}

/** The recipe's schema has seen to it that a name is one of a stage's. Throws UserError without validation questions. */
export async function paradigmAtTest(
  recipe: Recipe,
  accuracyOn: (examples: readonly Example[]) => Promise<number>,
): Promise<ParadigmAtTest> {
  const asked = recipe.evaluate?.paradigm_at_test ?? "none";
  if (asked === "none") return { variant: null };
  const variants = variantsOf(recipe);
  if (asked !== BEST) return { variant: variants.find(({ name }) => name === asked)! };
  const spec = { ...recipe.data.train, split: "validation", limit: QUESTIONS };
  const { examples } = await loadExamples(spec, recipe).catch((cause: unknown) => {
    throw new UserError(`evaluate.paradigm_at_test: ${BEST} needs a split "validation" of data.train`, { cause });
  });
  const accuracies: (readonly [string, number])[] = [];
  for (const variant of variants) {
    accuracies.push([variant.name, await accuracyOn(examples.map((example) => ({ ...example, variant })))]);
  }
  const most = Math.max(...accuracies.map(([, accuracy]) => accuracy));
  const best = variants.find((_, i) => accuracies[i]![1] === most)!;
  return { variant: best, validation: Object.fromEntries(accuracies) };
}

/** The paradigms of the last stage that has any. */
function variantsOf({ stages }: Recipe): readonly Variant[] {
  const found = stages.findLast((stage) => needsOf(stage).paradigms !== null);
  const paradigms = found === undefined ? null : needsOf(found).paradigms;
  return Object.entries(paradigms ?? {}).map(([name, instruction]) => ({ name, instruction }));
}

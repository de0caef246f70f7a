/** What all evaluations of a run share: the conditions they are made under, and the answers of baselines. */
import type { Vocabulary } from "../answers/concepts/vocabulary.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import type { Example } from "../core/records.ts";
import {
  type Answers,
  type BaselineAnswers,
  type Conditions,
  conventionalBaselines,
  conventionalFeatures,
  decodingOf,
  type EvalItem,
  hashImages,
  hashQuestions,
  nearestNeighbour,
  questionRegression,
  type ScoringOptions,
  withBaselineImages,
} from "../evaluate/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import type { Run } from "../runs/run-folder.ts";
import { imageLimits } from "../session/recipe-options.ts";
import { openVocabulary } from "../session/reward-services.ts";
import type { Session } from "../session/session.ts";

export interface EvaluationSetup {
  readonly conditions: Conditions;
  /** Baselines whose answers are the same at every step. */
  readonly beside: BaselineAnswers;
  /** Of conventional models: probabilities of "yes", and numbers. */
  readonly fitted: Pick<ScoringOptions, "yes" | "numbers">;
  /** Strata whose groups are compared. */
  readonly subgroups: readonly string[];
  /** Given where images have known facts. */
  readonly vocabulary?: Vocabulary;
}

/** Found at the first evaluation and then kept. */
export function evaluationSetup(recipe: Recipe, session: Session): () => Promise<EvaluationSetup> {
  let found: Promise<EvaluationSetup> | null = null;
  return () => {
    found ??= find(recipe, session);
    return found;
  };
}

async function find(recipe: Recipe, { evaluation, train, prompt, tools }: Session): Promise<EvaluationSetup> {
  const examples = evaluation!;
  const { minPixels = null, maxPixels = null } = imageLimits(recipe);
  const names = recipe.evaluate?.conventional ?? [];
  const features = names.length === 0 ? null : await conventionalFeatures(examples, train);
  const none: Awaited<ReturnType<typeof conventionalBaselines>> = {};
  const [words, near, models] = await Promise.all([
    questionRegression(examples, train),
    nearestNeighbour(examples, train),
    features === null ? none : conventionalBaselines(names, examples, features),
  ]);
  const given = Object.entries(models);
  const hasFacts = examples.some(({ facts }) => facts !== undefined);
  return {
    conditions: {
      questions: { n: examples.length, sha256: hashQuestions(examples) },
      prompt: tools.evaluation?.prompt ?? prompt,
      decoding: decodingOf({ maxCompletionLength: evaluationLength(recipe) }),
      images: { sha256: await hashImages(examples), min_pixels: minPixels, max_pixels: maxPixels, tokens: null },
    },
    subgroups: recipe.evaluate?.subgroups ?? [],
    beside: { ...words, ...near, ...models },
    fitted:
      given.length === 0
        ? {}
        : {
            yes: Object.fromEntries(given.map(([name, { yes }]) => [name, yes] as const)),
            numbers: Object.fromEntries(given.map(([name, { numbers }]) => [name, numbers] as const)),
          },
    ...(hasFacts ? { vocabulary: openVocabulary(recipe.vocabulary) } : {}),
  };
}

/** What the model answers with the other images that the recipe asks for, by the baselines' names. */
export async function answersWithOtherImages(
  { evaluate, seed }: Recipe,
  examples: readonly Example[],
  answer: (examples: readonly Example[]) => Promise<Answers>,
): Promise<BaselineAnswers> {
  const found: Record<string, Answers> = {};
  for (const name of evaluate?.baselines ?? [])
    found[name] = await answer(await withBaselineImages(name, examples, seed));
  return found;
}

/** What the model said before training, from the run's own record; nothing at its first step or where it was not asked. */
export function untunedAnswers({ evaluation, prompt }: Session, run: Run, step: number): BaselineAnswers {
  if (step === 0) return {};
  const said = new Map<string, string>();
  for (const line of scanJsonl<Partial<EvalItem> & { readonly step?: number }>(run.paths.evals)) {
    if (line.step !== 0) break;
    if (line.example_id !== undefined) said.set(line.example_id, line.prediction ?? "");
  }
  if (evaluation!.some(({ id }) => !said.has(id))) return {};
  const predictions = evaluation!.map(({ id }) => [{ text: said.get(id)! }]);
  return { untuned: { predictions, style: prompt.style satisfies AnswerStyle, thinkOpened: false } };
}

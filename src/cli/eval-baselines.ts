/** The baselines beside the answers of viva eval, on the questions and on those that choose the best of them. */
import type { Example } from "../core/records.ts";
import {
  type BaselineAnswers,
  type ConventionalFeatures,
  conventionalBaselines,
  conventionalFeatures,
  nearestNeighbour,
  questionRegression,
  type ScoringOptions,
  towerNeighbour,
  withBaselineImages,
  withFewImages,
} from "../evaluate/index.ts";
import { questionsAskedBy, untunedModel } from "../session/checkpoint.ts";
import { type EvaluationSource, openCheckpointSource } from "../session/evaluation-sources.ts";
import {
  type Answered,
  type AskedEvaluation,
  ask,
  checkpointOptions,
  givenStep,
  openAsked,
  partialFile,
  shotsBefore,
} from "./eval-answers.ts";
import { downloadReporter } from "./options.ts";

type Fitted = Pick<ScoringOptions, "yes" | "numbers">;

/** The questions, and those that baselines learn from and are chosen on. */
export interface AskedQuestions {
  readonly examples: readonly Example[];
  readonly train: readonly Example[] | null;
  readonly validation: readonly Example[];
}

/**
 * Baselines beyond the counted ones: the question's words by regression, the nearest neighbour, conventional models with
 * their probabilities of "yes", the model itself with other images, the untuned model. All answer the validation questions
 * too.
 */
export async function baselinesBeside(
  checkpoint: string | undefined,
  { examples, train, validation }: AskedQuestions,
  o: AskedEvaluation,
  signal: AbortSignal,
): Promise<{
  readonly answers: BaselineAnswers;
  /** To the validation questions. */
  readonly validation: BaselineAnswers;
  readonly fitted: Fitted;
  /** Where conventional models were asked for. */
  readonly features: ConventionalFeatures | null;
  done(): void;
}> {
  const all = [...examples, ...validation];
  const none: Awaited<ReturnType<typeof conventionalBaselines>> = {};
  const seen = train === null || !o.towerNeighbour ? null : await towerVectors(checkpoint, all, train, o, signal);
  const asksModels = (o.conventional ?? []).length > 0;
  const features = train === null || !asksModels ? null : await conventionalFeatures(all, train, seen);
  // The fits go on in threads of their own while this one looks for neighbours.
  const [words, models, near, tower] = await Promise.all([
    train === null ? {} : questionRegression(all, train),
    features === null ? none : conventionalBaselines(o.conventional!, all, features, o.folds),
    train === null || !o.nearestNeighbour ? {} : nearestNeighbour(all, train),
    seen === null ? {} : towerNeighbour(all, train!, async () => seen),
  ]);
  const learned: BaselineAnswers = { ...words, ...near, ...tower, ...models };
  const given = Object.entries(models);
  const own = <T>(values: readonly T[]) => values.slice(0, examples.length);
  const parts = {
    yes: Object.fromEntries(given.map(([name, { yes }]) => [name, own(yes)] as const)),
    numbers: Object.fromEntries(given.map(([name, { numbers }]) => [name, own(numbers)] as const)),
  };
  const asked: [name: string, Answered, validated: Answered | null][] = [];
  const askBoth = async (
    name: string,
    open: () => Promise<EvaluationSource>,
    seenBy = async (questions: readonly Example[]) => questions,
  ) => {
    const answers = await ask(await open(), await seenBy(examples), partialFile(o.out, `.${name}`), o, signal);
    const file = partialFile(o.out, `.${name}.validation`);
    const validated =
      validation.length === 0 ? null : await ask(await open(), await seenBy(validation), file, o, signal);
    asked.push([name, answers, validated]);
  };
  for (const name of o.baseline ?? []) {
    await askBoth(
      name,
      () => openAsked(checkpoint, train, o, signal),
      (questions) => withBaselineImages(name, questions, o.seed),
    );
  }
  if (o.baselineModel !== undefined) {
    await askBoth("untuned", () => openUntuned(checkpoint, o.baselineModel!, train, o, signal));
  }
  const validated = asked.flatMap(([name, , second]) => (second === null ? [] : [[name, second.answers] as const]));
  return {
    answers: {
      ...partOf(learned, 0, examples.length),
      ...Object.fromEntries(asked.map(([name, { answers }]) => [name, answers] as const)),
    },
    validation: { ...partOf(learned, examples.length, all.length), ...Object.fromEntries(validated) },
    fitted: given.length === 0 ? {} : parts,
    features,
    done: () => {
      for (const [, first, second] of asked) {
        first.done();
        second?.done();
      }
    },
  };
}

/** The answers to the questions from one index to before another. */
function partOf(answers: BaselineAnswers, from: number, to: number): BaselineAnswers {
  const parts = Object.entries(answers).map(([name, { predictions, style, thinkOpened }]) => {
    return [name, { predictions: predictions.slice(from, to), style, thinkOpened }] as const;
  });
  return Object.fromEntries(parts);
}

/** Images as the model that is evaluated sees them: those of the questions, and those of training that baselines look at. */
async function towerVectors(
  checkpoint: string | undefined,
  examples: readonly Example[],
  train: readonly Example[],
  o: AskedEvaluation,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Float32Array>> {
  const opened = await openAsked(checkpoint, train, o, signal);
  try {
    return await opened.embed([...withFewImages(train), ...examples].flatMap(({ images }) => images.slice(0, 1)));
  } finally {
    await opened.close();
  }
}

/** The untuned model, asked as the model beside it is: with the run's prompt, length and image limits. */
async function openUntuned(
  checkpoint: string | undefined,
  named: string,
  train: readonly Example[] | null,
  o: AskedEvaluation,
  signal: AbortSignal,
) {
  const sources = { reporter: downloadReporter(), signal };
  const model = named === "own" ? await untunedModel(checkpoint!, { ...sources, ...givenStep(o) }) : named;
  const asked = checkpoint === undefined ? {} : questionsAskedBy(checkpoint);
  const options = { ...checkpointOptions(o, signal, asked.length), ...shotsBefore(train, o) };
  return openCheckpointSource(model, { ...asked, ...options });
}

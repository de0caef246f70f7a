/** Every set of data of a recipe through the pre-flight, each with the completions that the stages make of it. */
import { type PromptStyle, targetText } from "../answers/prompts.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { openModel } from "../models/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isSupervised, needsOf } from "../recipes/stage-kinds.ts";
import type { SkippedExample } from "../train/batches.ts";
import type { PreferencePair } from "../train/pair-sources.ts";
import type { LoadedExamples } from "./examples.ts";
import { type PreflightReport, preflight } from "./preflight.ts";
import { evaluationShots, trainingShots } from "./recipe-shots.ts";

export interface DataToCheck {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  /** Whether prompts end in an opened thought. */
  readonly thinkOpened: boolean;
  readonly train: LoadedExamples<readonly Example[]>;
  readonly evaluation: LoadedExamples<readonly Example[] | null>;
  /** Tokens of an answer that is evaluated. */
  readonly evaluationLength: number;
  /** By stage. */
  readonly pairs: readonly (readonly PreferencePair[])[];
}

export interface CheckedData {
  readonly train: readonly Example[];
  readonly evaluation: readonly Example[] | null;
  readonly pairs: readonly (readonly PreferencePair[])[];
  readonly skipped: readonly SkippedExample[];
  readonly preflight: readonly PreflightReport[];
}

/** Throws UserError as `preflight` does. */
export async function checkData(recipe: Recipe, data: DataToCheck): Promise<CheckedData> {
  const { processor, prompt, train, evaluation } = data;
  const { on_bad_image: onBadImage, on_too_long: onTooLong } = recipe.data;
  const contextLength = openModel(recipe.model.path).language.maxPositions;
  const shared = { processor, prompt, contextLength, onBadImage, onTooLong };
  const trained = await preflight(train.examples, {
    ...shared,
    data: "data.train",
    ...trainingShots(recipe, train.examples),
    missing: train.skipped,
    notices: train.notices,
    completions: (example) => trainedCompletions(recipe, example, data),
  });
  const paired = await Promise.all(
    data.pairs.map(async (pairs, i) => {
      if (pairs.length === 0) return null;
      const byId = new Map(pairs.map((pair) => [pair.example.id, pair]));
      const examples = pairs.map(({ example }) => example);
      const key = `stages.${i}.pairs`;
      const completions = ({ id }: Example) => {
        const { chosen, rejected } = byId.get(id)!;
        return [chosen, rejected].map((text) => ({ key, tokens: processor.encodeCompletion(text).length }));
      };
      return preflight(examples, { ...shared, data: key, missing: [], completions });
    }),
  );
  const evaluated =
    evaluation.examples === null || recipe.evaluate === null
      ? null
      : await preflight(evaluation.examples, {
          ...shared,
          data: "data.eval",
          ...evaluationShots(recipe, trained.kept),
          missing: evaluation.skipped,
          notices: evaluation.notices,
          completions: () => [{ key: "evaluate.max_completion_length", tokens: data.evaluationLength }],
        });
  const looked = [trained, ...paired, evaluated].filter((found) => found !== null);
  const keptPairs = data.pairs.map((pairs, i) => {
    const kept = new Set(paired[i]?.kept);
    return pairs.filter(({ example }) => kept.has(example));
  });
  return {
    train: trained.kept,
    evaluation: evaluated === null ? evaluation.examples : evaluated.kept,
    pairs: keptPairs,
    skipped: [...train.skipped, ...evaluation.skipped, ...looked.flatMap(({ skipped }) => skipped)],
    preflight: looked.map(({ report }) => report),
  };
}

/** What each stage makes of an example: completions of the length asked for, or the example's own answer. */
function trainedCompletions(recipe: Recipe, example: Example, { processor, prompt, thinkOpened }: DataToCheck) {
  return recipe.stages.flatMap((stage, i) => {
    if (isSupervised(stage)) {
      const answer = targetText(example, prompt.style, stage.target, thinkOpened);
      return [{ key: `stages.${i}.target`, tokens: processor.encodeCompletion(answer).length }];
    }
    const { generation } = needsOf(stage);
    if (generation === null) return [];
    return [{ key: `stages.${i}.max_completion_length`, tokens: generation.max_completion_length }];
  });
}

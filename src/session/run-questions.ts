/** The questions of a run's own evaluations, as its recipe names them. */
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { loadRecipe } from "../recipes/load.ts";
import type { DatasetSpec, Recipe } from "../recipes/schema.ts";
import { runPaths } from "../runs/run-folder.ts";
import {
  evaluationSubset,
  type LoadedExamples,
  loadEvaluation,
  loadExamples,
  specHere,
  trainingExamples,
} from "./examples.ts";
import { runOf } from "./model-folder.ts";
import type { SourceOptions } from "./sources.ts";

/** What is asked otherwise than the run does. */
export interface AskedOtherwise {
  readonly split?: string | undefined;
  readonly limit?: number | undefined;
  /** Chooses the subset; generated data are those of the run. */
  readonly seed?: number | undefined;
}

export interface RunQuestions {
  /** As the recipe names the data set. */
  readonly name: string;
  readonly split: string;
  readonly limit: number | null;
  readonly seed: number;
  readonly imageDisjoint: boolean;
  readonly allowOverlap: boolean;
  examples(): Promise<LoadedExamples<readonly Example[]>>;
  /** What the run was trained on. */
  training(): Promise<readonly Example[]>;
  /** All of another split of the same data set. */
  of(split: string): Promise<readonly Example[]>;
}

/** Of the run that a path is, or is a checkpoint of; a UserError asks for --data where there is none, or it evaluates nothing. */
export function questionsOfRun(path: string, asked: AskedOtherwise = {}, o: SourceOptions = {}): RunQuestions {
  const run = runOf(path);
  if (run === null)
    throw new UserError(`--data is missing: ${path} is no run, which has questions of its own; ${advice}`);
  const { recipe } = loadRecipe(runPaths(run).recipe);
  const { eval: own, train, image_disjoint: imageDisjoint, allow_overlap: allowOverlap } = recipe.data;
  if (own === null) throw new UserError(`--data is missing, and the run ${run} has no data.eval to ask; ${advice}`);
  const split = asked.split ?? own.split;
  const seed = asked.seed ?? recipe.seed;
  const limit = asked.limit ?? recipe.evaluate?.limit ?? null;
  /** A data set here; its seed is the run's own. */
  const here = async (spec: DatasetSpec, key: string) => {
    return { ...(await specHere(spec, key, o)), seed: spec.seed ?? recipe.seed };
  };
  /** The recipe with data that lie here; the training data only where questions are told by them. */
  const openRecipe = async (asked: string): Promise<Recipe> => {
    const spec = { ...(await here(own, "data.eval.path")), split: asked };
    const told = spec.table === null ? train : await here(train, "data.train.path");
    return { ...recipe, data: { ...recipe.data, train: told, eval: spec } };
  };
  return {
    ...{ name: own.name, split, limit, seed, imageDisjoint, allowOverlap },
    async examples() {
      const opened = await openRecipe(split);
      const evaluate = opened.evaluate === null ? null : { ...opened.evaluate, limit };
      const { examples, ...loaded } = await loadEvaluation({ ...opened, seed, evaluate });
      return { ...loaded, examples: evaluationSubset(examples!, limit, seed) };
    },
    training: () => trainingExamples(recipe, o),
    async of(name) {
      const opened = await openRecipe(name);
      return (await loadExamples({ ...opened.data.eval!, limit: null }, opened)).examples;
    },
  };
}

const advice = "name a data set with --data (viva data list)";

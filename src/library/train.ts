/** Running a recipe from a program: a new run, or a resumed one. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import type { RunObserver } from "../pipeline/observers/observer.ts";
import { runRecipe } from "../pipeline/run-recipe.ts";
import type { TrainResult } from "../pipeline/train-recipe.ts";
import { type LoadedRecipe, loadRecipe, parseRecipe, resolvedYaml } from "../recipes/load.ts";
import { defaultRunFolder, isRun, runPaths } from "../runs/run-folder.ts";

export interface RunOptions {
  /** Observers of steps, evaluations and events. */
  readonly observers?: readonly RunObserver[];
  /** Stops before the next step; `resume` continues. */
  readonly signal?: AbortSignal;
}

export interface TrainedRun extends TrainResult {
  /** The run folder. */
  readonly folder: string;
}

/**
 * A recipe from plain data with all defaults filled in; throws UserError naming the invalid key. Paths are relative to
 * the working directory.
 */
export function recipeFrom(input: unknown): LoadedRecipe {
  const recipe = parseRecipe(input);
  return { recipe, yaml: resolvedYaml(recipe) };
}

/**
 * Trains by a recipe (a YAML file, or the result of `loadRecipe` or `recipeFrom`) in a new folder, default
 * runs/<name>-<time>. Throws UserError for invalid input, RunError if the run fails.
 */
export async function train(
  recipe: string | LoadedRecipe,
  o: RunOptions & { readonly folder?: string } = {},
): Promise<TrainedRun> {
  const loaded = typeof recipe === "string" ? loadRecipe(recipe) : recipe;
  const folder = resolve(o.folder ?? defaultRunFolder(loaded.recipe.name));
  if (isRun(folder)) throw new UserError(`${folder} already has a run: resume it, or choose another folder`);
  return { ...(await runRecipe(loaded, folder, { ...o, resume: false })), folder };
}

/**
 * Goes on with the run in a folder, from its newest whole checkpoint, by its own recipe. UserError where the model or the
 * data are not those that it began with; `allowChangedData` lets changed data pass, and the run records it.
 */
export async function resume(
  folder: string,
  o: RunOptions & { readonly allowChangedData?: boolean } = {},
): Promise<TrainedRun> {
  if (!existsSync(folder) || !isRun(folder)) throw new UserError(`${folder}: there is no run to resume`);
  const path = resolve(folder);
  return { ...(await runRecipe(loadRecipe(runPaths(path).recipe), path, { ...o, resume: true })), folder: path };
}

/** Running a recipe from a program: a new run, or a run that goes on. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import type { RunObserver } from "../pipeline/observers/observer.ts";
import { runRecipe } from "../pipeline/run-recipe.ts";
import type { TrainResult } from "../pipeline/train-recipe.ts";
import { type LoadedRecipe, loadRecipe, parseRecipe, resolvedYaml } from "../recipes/load.ts";
import { defaultRunFolder, isRun, runPaths } from "../runs/run-folder.ts";

export interface RunOptions {
  /** Told of steps, evaluations and events as they come. */
  readonly observers?: readonly RunObserver[];
  /** Stops before the next step; `resume` goes on. */
  readonly signal?: AbortSignal;
}

export interface TrainedRun extends TrainResult {
  /** The run folder. */
  readonly folder: string;
}

/** A recipe from plain data, every default filled in; UserError names the key that is wrong. Paths count from here. */
export function recipeFrom(input: unknown): LoadedRecipe {
  const recipe = parseRecipe(input);
  return { recipe, yaml: resolvedYaml(recipe) };
}

/**
 * Trains by a recipe (a YAML file, or what `loadRecipe` or `recipeFrom` gave) in a new folder, by default
 * runs/<name>-<time>. Throws UserError where something named does not fit, RunError where the run fails.
 */
export async function train(
  recipe: string | LoadedRecipe,
  o: RunOptions & { readonly folder?: string } = {},
): Promise<TrainedRun> {
  const loaded = typeof recipe === "string" ? loadRecipe(recipe) : recipe;
  const folder = resolve(o.folder ?? defaultRunFolder(loaded.recipe.name));
  if (isRun(folder)) throw new UserError(`${folder} holds a run already: resume it, or choose another folder`);
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

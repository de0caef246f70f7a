/** A run from its recipe to its end: opens what the recipe names, makes the run folder or opens it again, trains, closes. */
import { type LoadedRecipe, resolvedYaml } from "../recipes/load.ts";
import { environment } from "../runs/environment.ts";
import type { Reporter } from "../runs/reporter.ts";
import { createRun, openRun } from "../runs/run-folder.ts";
import { openSession } from "../session/session.ts";
import { openObservers } from "./observers/index.ts";
import type { RunObserver } from "./observers/observer.ts";
import { type TrainResult, trainRecipe } from "./train-recipe.ts";

export interface RunRecipeOptions {
  /** Goes on with the run in the folder, from its newest whole checkpoint. */
  readonly resume: boolean;
  /** Told of downloads and of the run's progress; absent: nothing is printed. */
  readonly reporter?: Reporter;
  /** Told of the run beside its folder. */
  readonly observers?: readonly RunObserver[];
  /** Stops before the next step. */
  readonly signal?: AbortSignal;
}

/**
 * Trains in `folder`. Throws UserError for what the user can mend, most of it before the folder exists, and RunError where
 * the run itself fails; the folder then holds all that was recorded.
 */
export async function runRecipe(loaded: LoadedRecipe, folder: string, o: RunRecipeOptions): Promise<TrainResult> {
  const { resume, reporter, signal } = o;
  const session = await openSession(loaded.recipe, folder, { reporter, signal });
  try {
    const recipeYaml = resolvedYaml(session.recipe, session.notes);
    const content = { recipeYaml, environment: environment(["onnxruntime-node"]) };
    const run = resume ? openRun(folder) : createRun(folder, content);
    try {
      const watching = reporter === undefined ? [] : openObservers({ run, reporter });
      const observers = [...watching, ...(o.observers ?? [])];
      return await trainRecipe(session.recipe, session, run, {
        observers,
        resume,
        ...(signal === undefined ? {} : { signal }),
      });
    } finally {
      run.close();
    }
  } finally {
    await session.close();
  }
}

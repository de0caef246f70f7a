/** A run from its recipe to its end: opens what the recipe names, makes the run folder or opens it again, trains, closes. */
import type { Extension } from "../recipes/extension.ts";
import { type LoadedRecipe, resolvedYaml } from "../recipes/load.ts";
import { replaceFile } from "../runs/durable.ts";
import { environment } from "../runs/environment.ts";
import type { Reporter } from "../runs/reporter.ts";
import { createRun, openRun } from "../runs/run-folder.ts";
import { changedHashes, requireRecorded } from "../session/recorded-hashes.ts";
import { openSession, type Session } from "../session/session.ts";
import { trackerAt } from "../track/options.ts";
import { openObservers } from "./observers/index.ts";
import type { RunObserver } from "./observers/observer.ts";
import { type TrainResult, trainRecipe } from "./train-recipe.ts";

export interface RunRecipeOptions {
  /** Goes on with the run in the folder, from its newest whole checkpoint. */
  readonly resume: boolean;
  /** What the run in the folder is to have more of; the recipe holds it already. */
  readonly extension?: Extension | null;
  /** Goes on although data or images are not those that the run began with; it is recorded. */
  readonly allowChangedData?: boolean;
  /** Told of downloads and of the run's progress; absent: nothing is printed. */
  readonly reporter?: Reporter;
  /** Told of the run beside its folder. */
  readonly observers?: readonly RunObserver[];
  /** Starts what computes elsewhere, when all is checked that needs none; what it resolves to stops it with the run. */
  readonly startServer?: () => Promise<(() => Promise<void>) | null>;
  /** Stops before the next step. */
  readonly signal?: AbortSignal;
}

/**
 * Trains in `folder`. Throws UserError for what the user can mend, most of it before the folder exists, and RunError where
 * the run itself fails; the folder then holds all that was recorded.
 */
export async function runRecipe(loaded: LoadedRecipe, folder: string, o: RunRecipeOptions): Promise<TrainResult> {
  const { resume, reporter, signal, extension = null, allowChangedData = false } = o;
  for (const options of loaded.recipe.track) trackerAt(options, folder);
  let changed: Session["notes"] = {};
  const beforeEngine = async (notes: Session["notes"]) => {
    if (resume) changed = changedData(folder, notes, allowChangedData);
    return (await o.startServer?.()) ?? null;
  };
  const session = await openSession(loaded.recipe, folder, { reporter, signal, beforeEngine });
  try {
    const recipeYaml = resolvedYaml(session.recipe, session.notes);
    const { record, notices = [] } = session.engine;
    for (const notice of notices) reporter?.warn(notice);
    const found = environment(["onnxruntime-node"]);
    const content = { recipeYaml, environment: record === undefined ? found : { ...found, engine: record } };
    const run = resume ? openRun(folder) : createRun(folder, content);
    try {
      const watching = openObservers({ run, reporter, track: session.recipe.track });
      const observers = [...watching, ...(o.observers ?? [])];
      if (extension !== null || Object.keys(changed).length > 0) replaceFile(run.paths.recipe, recipeYaml);
      return await trainRecipe(session.recipe, session, run, {
        ...{ observers, resume, extension, changed },
        ...(signal === undefined ? {} : { signal }),
      });
    } finally {
      run.close();
    }
  } finally {
    await session.close();
  }
}

/** What was recorded of data that are others now: a UserError unless the user knows; changed weights always are one. */
function changedData(folder: string, notes: Session["notes"], isAllowed: boolean): Session["notes"] {
  const entries = Object.entries(notes);
  const isWeights = ([name]: readonly [string, string]) => !/^(train|eval|stage_\d+_pairs)_sha256$/.test(name);
  const weights = Object.fromEntries(entries.filter(isWeights));
  const data = Object.fromEntries(entries.filter((entry) => !isWeights(entry)));
  requireRecorded(folder, weights, "it cannot go on: bring back what was there, or start a new run");
  const ways = "bring back what was there, go on all the same with --allow-changed-data, or start a new run";
  if (!isAllowed) requireRecorded(folder, data, `its record would be of two runs: ${ways}`);
  return changedHashes(folder, data);
}

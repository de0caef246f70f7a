/** viva-rl: run a recipe, resume it, evaluate a model, run a study, open a model with its processor. */
export { RunError, UserError } from "../core/errors.ts";
export type {
  At,
  EvaluationRecord,
  RunEvent,
  RunNotice,
  RunObserver,
  StepRecord,
} from "../pipeline/observers/observer.ts";
export { type LoadedRecipe, loadRecipe } from "../recipes/load.ts";
export type { Recipe, Stage } from "../recipes/schema.ts";
export type { StudyResults } from "../runs/study-results.ts";
export {
  type OpenCheckpointOptions as OpenModelOptions,
  type OpenedCheckpoint as OpenedModel,
  openCheckpoint as openModel,
} from "../session/checkpoint.ts";
export { type EvaluateOptions, evaluate } from "./evaluate-model.ts";
export { runStudy, type StudyOptions, type StudyOutcome } from "./study.ts";
export { type RunOptions, recipeFrom, resume, type TrainedRun, train } from "./train.ts";

/** Parts of a recipe as the layers below take them, and what they come to on this machine and these data. */
import { availableParallelism } from "node:os";
import type { Processor } from "../core/processor.ts";
import type { EngineServer, ImageLimits } from "../engine/backend.ts";
import type { Recipe } from "../recipes/schema.ts";
import { needsOf } from "../recipes/stage-kinds.ts";
import type { SourceOptions } from "./sources.ts";

/** The recipe's limits on image size; absent keys leave the model's own. */
export function imageLimits({ image }: Recipe): ImageLimits {
  return {
    ...(image?.min_pixels ? { minPixels: image.min_pixels } : {}),
    ...(image?.max_pixels ? { maxPixels: image.max_pixels } : {}),
  };
}

/** The server that a recipe's engine names; null where it names none. */
export function serverOf({ url, model, api_key_env }: Recipe["engine"]): EngineServer | null {
  return url === null ? null : { url, model, apiKeyEnv: api_key_env };
}

/** Threads of the engine, at most one for each core here; 0 lets it choose. */
export function threadsHere(threads: Recipe["engine"]["threads"]): number {
  return threads === "auto" ? 0 : Math.min(threads, availableParallelism());
}

/** Says, as warnings, which settings ask for more than there is: the recipe may be meant for another machine, or more data. */
export function tellExcess(recipe: Recipe, examples: number, { reporter }: SourceOptions): void {
  const { threads, url } = recipe.engine;
  const cores = availableParallelism();
  if (threads !== "auto" && url === null && threads > cores) {
    reporter?.warn(`engine.threads: ${threads} are more than the ${cores} cores here, so ${cores} are used`);
  }
  for (const [i, stage] of recipe.stages.entries()) {
    const key = "prompts_per_step" in stage ? "prompts_per_step" : "batch_size";
    const asked = "prompts_per_step" in stage ? stage.prompts_per_step : stage.batch_size;
    if (needsOf(stage).passesOver !== "examples" || asked <= examples) continue;
    const often = "a step goes through them more than once";
    reporter?.warn(`stages.${i}.${key}: ${asked} are more than the ${examples} examples of data.train: ${often}`);
  }
}

/** Says, as warnings, what was supplied because the model's files lack it. */
export function tellNotices({ notices }: Processor, { reporter }: SourceOptions): void {
  for (const notice of notices) reporter?.warn(notice);
}

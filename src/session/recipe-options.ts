/** Parts of a recipe as the layers below take them. */
import type { Processor } from "../core/processor.ts";
import type { EngineServer, ImageLimits } from "../engine/backend.ts";
import type { Recipe } from "../recipes/schema.ts";
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

/** Says, as warnings, what was supplied because the model's files lack it. */
export function tellNotices({ notices }: Processor, { reporter }: SourceOptions): void {
  for (const notice of notices) reporter?.warn(notice);
}

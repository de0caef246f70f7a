/** What the model of a run is given of an image. Nothing is downloaded: a model that is not on this machine has no view. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import type { ProcessedImage, Processor } from "../core/processor.ts";
import type { ImageRef, ImageView } from "../core/records.ts";
import { openProcessor } from "../models/index.ts";
import { viewOf } from "../recipes/datasets.ts";
import { loadRecipe } from "../recipes/load.ts";
import { runPaths } from "../runs/run-folder.ts";
import { imageLimits } from "./recipe-options.ts";
import { locateModel, type SourceOptions } from "./sources.ts";

/** Settings under which nothing is asked on the Hub. */
export const offline = (env: SourceOptions["env"] = process.env) => ({ ...env, HF_HUB_OFFLINE: "1" });

/** Views by run folder; null where the model is not here or its family has none. */
export function modelViews(): (folder: string, image: ImageRef) => Promise<ProcessedImage | null> {
  const processors = new Map<string, Promise<{ readonly processor: Processor; readonly view: ImageView } | null>>();
  return async (folder, image) => {
    const known = processors.get(folder) ?? openFor(folder);
    processors.set(folder, known);
    const opened = await known;
    if (opened?.processor.processed === undefined) return null;
    try {
      return await opened.processor.processed({ ...image, ...opened.view });
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  };
}

async function openFor(folder: string) {
  try {
    const { recipe } = loadRecipe(runPaths(folder).recipe);
    const { path, revision } = recipe.model;
    const model = await locateModel(path, { key: "model.path", revision, weights: false, env: offline() });
    if (!existsSync(model.folder)) return null;
    return { processor: await openProcessor(model.folder, imageLimits(recipe)), view: viewOf(recipe.data.train) };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

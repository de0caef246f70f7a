/** Finds the images that a run's record names: files are read, generated images are generated again from the run's recipe. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import type { Example, ImageView, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { viewOf } from "../recipes/datasets.ts";
import { loadRecipe } from "../recipes/load.ts";
import { runPaths } from "../runs/run-folder.ts";
import { loadExamples } from "./examples.ts";

/** Pixels by the path in a rollout record; null for an image that is gone or damaged. */
export function runImages(folder: string): (path: string) => Promise<RawImage | null> {
  let generated: Promise<ReadonlyMap<string, RawImage>> | null = null;
  return async (path) => {
    try {
      if (existsSync(imageFile(path).file)) return (await decodeImage({ path, ...runView(folder) })).image;
      generated ??= generatedImages(folder);
      return (await generated).get(path) ?? null;
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  };
}

/** How the run's images are shown in training; as their files say where its recipe cannot be read. */
function runView(folder: string): ImageView {
  try {
    return viewOf(loadRecipe(runPaths(folder).recipe).recipe.data.train);
  } catch (error) {
    if (error instanceof UserError) return {};
    throw error;
  }
}

async function generatedImages(folder: string): Promise<ReadonlyMap<string, RawImage>> {
  const { recipe } = loadRecipe(runPaths(folder).recipe);
  const { examples } = await loadExamples(recipe.data.train, recipe);
  const pixelsOf = ({ images }: Example) =>
    images.flatMap(({ path, pixels }) => (pixels === undefined ? [] : [[path, pixels] as const]));
  return new Map(examples.flatMap(pixelsOf));
}

/** Finds the images that a run's record names: files are read, generated images are generated again from the run's recipe. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import type { Example, ImageRef, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { loadRecipe } from "../recipes/load.ts";
import { runPaths } from "../runs/run-folder.ts";
import { loadExamples } from "./examples.ts";

/** Pixels by the path in a rollout record; null for an image that is gone or damaged. */
export function runImages(folder: string): (path: string) => Promise<RawImage | null> {
  let generated: Promise<ReadonlyMap<string, RawImage>> | null = null;
  return async (path) => {
    try {
      if (existsSync(path)) return (await decodeImage({ path, ...rangeOf(folder) })).image;
      generated ??= generatedImages(folder);
      return (await generated).get(path) ?? null;
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  };
}

/** The range of 16-bit images that the run trains on; none where its recipe cannot be read. */
function rangeOf(folder: string): Pick<ImageRef, "range"> {
  try {
    const range = loadRecipe(runPaths(folder).recipe).recipe.data.train.image_range;
    return range === null ? {} : { range };
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

/**
 * Images of runs that may come from elsewhere: nothing that a foreign recipe names is executed or downloaded. Generated
 * images are made again where the recipe names a set that viva generates itself; files are read by whoever checked them.
 */
import { UserError } from "../core/errors.ts";
import type { ImageRef, RawImage } from "../core/records.ts";
import { findDataset } from "../data/index.ts";
import { loadRecipe } from "../recipes/load.ts";
import { runPaths } from "../runs/run-folder.ts";
import { loadExamples } from "./examples.ts";

/** Generated images of a run by the path in its record; null for any other. */
export function generatedImagesOf(folder: string): (path: string) => Promise<RawImage | null> {
  let images: Promise<ReadonlyMap<string, RawImage>> | null = null;
  return async (path) => {
    images ??= generate(folder);
    return (await images).get(path) ?? null;
  };
}

async function generate(folder: string): Promise<ReadonlyMap<string, RawImage>> {
  try {
    const { recipe } = loadRecipe(runPaths(folder).recipe);
    const spec = recipe.data.train;
    if (findDataset(spec.name).generated !== true) return new Map();
    const { examples } = await loadExamples(spec, recipe);
    const refs: readonly ImageRef[] = examples.flatMap(({ images }) => images);
    return new Map(refs.flatMap(({ path, pixels }) => (pixels === undefined ? [] : [[path, pixels] as const])));
  } catch (error) {
    if (error instanceof UserError) return new Map();
    throw error;
  }
}

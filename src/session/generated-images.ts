/**
 * Images of runs that may come from elsewhere: nothing that a foreign recipe names is executed or downloaded. Generated
 * images are made again where the recipe names a set that viva generates itself; files are read by whoever checked them.
 */
import { UserError } from "../core/errors.ts";
import type { ImageRef, RawImage } from "../core/records.ts";
import { findDataset } from "../data/index.ts";
import { loadRecipe } from "../recipes/load.ts";
import { runPaths } from "../runs/run-folder.ts";
import { madeOf, remade } from "../tools/remake.ts";
import { loadExamples } from "./examples.ts";

export { remade };

/** Generated images of a run by the path in its record; null for any other. */
export function generatedImagesOf(folder: string): (path: string) => Promise<RawImage | null> {
  let images: Promise<ReadonlyMap<string, ImageRef>> | null = null;
  return async (path) => {
    images ??= generate(folder);
    const made = madeOf(path);
    const ref = (await images).get(made?.base ?? path);
    if (ref === undefined) return null;
    return made === null ? ref.pixels! : remade(path, ref);
  };
}

async function generate(folder: string): Promise<ReadonlyMap<string, ImageRef>> {
  try {
    const { recipe } = loadRecipe(runPaths(folder).recipe);
    const specs = [recipe.data.train, ...(recipe.data.eval === null ? [] : [recipe.data.eval])].filter(
      ({ name }) => findDataset(name).generated === true,
    );
    const loaded = await Promise.all(specs.map((spec) => loadExamples(spec, recipe)));
    const refs: readonly ImageRef[] = loaded.flatMap(({ examples }) => examples).flatMap(({ images }) => images);
    return new Map(refs.flatMap((ref) => ("pixels" in ref ? [[ref.path, ref] as const] : [])));
  } catch (error) {
    if (error instanceof UserError) return new Map();
    throw error;
  }
}

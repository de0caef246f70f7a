/** Finds the images that a run's record names: files are read, generated images are generated again from the run's recipe. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import type { Example, ImageRef, ImageView, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { viewOf } from "../recipes/datasets.ts";
import { loadRecipe } from "../recipes/load.ts";
import { runPaths } from "../runs/run-folder.ts";
import { madeOf, remade } from "../tools/remake.ts";
import { loadExamples } from "./examples.ts";

/** Pixels by the path in a rollout record; null for an image that is gone or damaged. */
export function runImages(folder: string): (path: string) => Promise<RawImage | null> {
  let generated: Promise<ReadonlyMap<string, ImageRef>> | null = null;
  const refOf = async (path: string): Promise<ImageRef | null> => {
    if (existsSync(imageFile(path).file)) return { path, ...runView(folder) };
    generated ??= generatedImages(folder);
    return (await generated).get(path) ?? null;
  };
  return async (path) => {
    try {
      const made = madeOf(path);
      const ref = await refOf(made?.base ?? path);
      if (ref === null || made !== null) return ref === null ? null : remade(path, ref);
      return ref.pixels ?? (await decodeImage(ref)).image;
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

async function generatedImages(folder: string): Promise<ReadonlyMap<string, ImageRef>> {
  const { recipe } = loadRecipe(runPaths(folder).recipe);
  const { examples } = await loadExamples(recipe.data.train, recipe);
  const made = ({ images }: Example) => images.filter((image) => "pixels" in image);
  return new Map(examples.flatMap(made).map((ref) => [ref.path, ref]));
}

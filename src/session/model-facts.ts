/** What a recipe's choices depend on of a model: its size, and how large it can be shown images. */
import { UserError } from "../core/errors.ts";
import { openModel, openProcessor } from "../models/index.ts";
import { adapterOf, locateModelFolder } from "./model-folder.ts";
import type { SourceOptions } from "./sources.ts";

export interface ModelFacts {
  /** Weights, adapters not counted. */
  readonly parameters: number;
  /** The side of the square that an image token covers, in pixels; null where the area of images cannot be limited. */
  readonly tokenSide: number | null;
  /** Whether it is an adapter, which training goes on with. */
  readonly isAdapter: boolean;
}

/** Reads the configuration alone; of a model on the Hub the weights are not downloaded. */
export async function modelFacts(path: string, o: SourceOptions = {}): Promise<ModelFacts> {
  const { folder } = await locateModelFolder(path, { ...o, key: "--model", weights: false });
  const adapter = await adapterOf(folder, o);
  const base = adapter?.base ?? folder;
  const { weights, vision } = openModel(base);
  const sizes = Object.values(weights).map(({ shape }) => shape.reduce((size, n) => size * n, 1));
  const side = vision.patchSize * Math.sqrt(vision.patchesPerToken);
  return {
    parameters: sizes.reduce((sum, size) => sum + size, 0),
    tokenSide: (await takesLimits(base, side)) ? side : null,
    isAdapter: adapter !== null,
  };
}

/** A family that limits sides refuses a limit of the area. */
async function takesLimits(folder: string, side: number): Promise<boolean> {
  try {
    await openProcessor(folder, { maxPixels: (32 * side) ** 2 });
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

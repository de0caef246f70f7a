/** What a recipe's choices depend on of a model: its size, and how large it can be shown images. */
import { UserError } from "../core/errors.ts";
import { openModel, openProcessor } from "../models/index.ts";
import { adapterOf, locateModelFolder } from "./model-folder.ts";
import type { SourceOptions } from "./sources.ts";

export interface ModelFacts {
  /** Weights, adapters not counted. */
  readonly parameters: number;
  /** Pixels of an image that one token covers; null where the area of images cannot be limited. */
  readonly pixelsPerToken: number | null;
  /** Whether it is an adapter, which training goes on with. */
  readonly isAdapter: boolean;
}

/** Reads the configuration alone; of a model on the Hub the weights are not downloaded. */
export async function modelFacts(path: string, o: SourceOptions = {}): Promise<ModelFacts> {
  const { folder } = await locateModelFolder(path, { ...o, key: "--model", weights: false });
  const adapter = await adapterOf(folder, o);
  const base = adapter?.base ?? folder;
  const { weights } = openModel(base);
  const sizes = Object.values(weights).map(({ shape }) => shape.reduce((size, n) => size * n, 1));
  return {
    parameters: sizes.reduce((sum, size) => sum + size, 0),
    pixelsPerToken: await pixelsPerToken(base),
    isAdapter: adapter !== null,
  };
}

/** A side that is a whole number of the patches of all families. */
const side = 448;

/** Of a family that limits sides there is none: it refuses a limit of the area. */
async function pixelsPerToken(folder: string): Promise<number | null> {
  try {
    const processor = await openProcessor(folder, { maxPixels: 2 * side ** 2 });
    const image = { type: "image", image: { path: "" } } as const;
    const { imageFeatures } = processor.layOut([{ role: "user", content: [image] }], [{ width: side, height: side }]);
    return side ** 2 / imageFeatures[0]!;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/**
 * Merges several adapters of one model on their dense updates: a whole model folder out, or an adapter of a given rank that
 * is the nearest to it. Written beside and renamed.
 */
import { writeAdapterLayers } from "../models/adapter-files.ts";
import { combinedWeights, type MergeMethod, nearestAdapter } from "../models/combine.ts";
import { companionFolder, copyCompanions } from "../models/companions.ts";
import { withLora } from "../models/lora.ts";
import { openStoredWeights } from "../models/stored-weights.ts";
import type { SourceOptions } from "../session/sources.ts";
import { adapterSources, newFolder, type OpenAdapters, withAdapters, writeModel } from "./adapters.ts";
import { writeFolder } from "./export.ts";

/** How updates are merged. */
export interface MergingOptions {
  readonly method: MergeMethod;
  /** One per adapter. */
  readonly adapterWeights: readonly number[];
  readonly density: number;
  readonly lambda: number;
}

export interface MergeAdaptersOptions extends SourceOptions, MergingOptions {
  readonly out: string;
  /** Writes an adapter of this rank in place of a whole model; null writes the model. */
  readonly rank: number | null;
}

export interface Merged {
  readonly out: string;
  /** Share of the merged update's norm that the rank loses; null for a whole model. */
  readonly lostShare: number | null;
}

/** Merges; throws UserError before anything is written where the adapters belong to different models. */
export async function mergeAdapters(paths: readonly string[], o: MergeAdaptersOptions): Promise<Merged> {
  return withAdapters(await adapterSources(paths, o), (opened) => {
    const out = newFolder(o.out);
    let lostShare: number | null = null;
    writeFolder(out, (draft) => {
      if (o.rank === null) writeMerged(draft, opened, o);
      else lostShare = writeNearest(draft, opened, o, o.rank);
    });
    return { out, lostShare };
  });
}

/** Writes the whole model with the merged update. */
export function writeMerged(folder: string, { base, model, adapters }: OpenAdapters, o: MergingOptions): void {
  const weights = openStoredWeights(model, base);
  try {
    writeModel(folder, base, model, combinedWeights(model, weights, adapters, { ...o, weights: o.adapterWeights }));
  } finally {
    weights.close();
  }
}

function writeNearest(folder: string, opened: OpenAdapters, o: MergingOptions, rank: number): number {
  const { base, model, adapters } = opened;
  const merging = { ...o, weights: o.adapterWeights };
  const { options, layers, lostShare } = nearestAdapter(model, adapters, merging, rank);
  writeAdapterLayers(withLora(model, options), folder, { ...options, base }, (layer) => layers.get(layer)!);
  copyCompanions(companionFolder(opened.sources[0]!.folder, base), folder);
  return lostShare;
}

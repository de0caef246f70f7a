/**
 * Averages the adapters of several sites: adapters and counts in, an adapter folder out, beside which `fedex` writes the
 * base with what the averaged factors leave out.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeAdapterLayers } from "../models/adapter-files.ts";
import { type AverageName, averageAdapters, requireAlike, sharesOf } from "../models/average.ts";
import { changedWeights } from "../models/combine.ts";
import { companionFolder, copyCompanions } from "../models/companions.ts";
import { openStoredWeights } from "../models/stored-weights.ts";
import type { SourceOptions } from "../session/sources.ts";
import { adapterSources, newFolder, type OpenAdapters, withAdapters, writeModel } from "./adapters.ts";
import { writeFolder } from "./export.ts";

/** Folder of the changed base within the adapter's. */
const BASE = "model";

/** How sites are averaged. */
export interface AveragingOptions {
  readonly way: AverageName;
  /** Training examples of each site, in the adapters' order. */
  readonly counts: readonly number[];
  /** Where tokenizer and processor files are taken from; default beside the first adapter, else its model's. */
  readonly companions?: string;
}

export interface Averaged {
  readonly out: string;
  /** Norm of what the averaged factors leave out of the exact average, by that of the exact average. */
  readonly aggregationError: number;
}

/** Averages adapters into a new folder; UserError where they belong to different models or differ in their layers. */
export async function averageIntoFolder(
  paths: readonly string[],
  o: SourceOptions & AveragingOptions & { readonly out: string },
): Promise<Averaged> {
  return withAdapters(await adapterSources(paths, o), (opened) => {
    const out = newFolder(o.out);
    let aggregationError = 0;
    writeFolder(out, (draft) => {
      aggregationError = writeAverage(draft, out, opened, o);
    });
    return { out, aggregationError };
  });
}

/** Writes into `draft`, which will be renamed to `out`; returns the aggregation error. */
export function writeAverage(draft: string, out: string, opened: OpenAdapters, o: AveragingOptions): number {
  const { base, model, sources, adapters } = opened;
  requireAlike(
    adapters,
    sources.map(({ path }) => path),
  );
  const { layers, aggregationError, residual } = averageAdapters(model, adapters, o.way, sharesOf(o.counts));
  if (residual !== null) {
    mkdirSync(join(draft, BASE));
    const weights = openStoredWeights(model, base);
    try {
      writeModel(join(draft, BASE), base, model, changedWeights(model, weights, residual));
    } finally {
      weights.close();
    }
  }
  const config = { ...sources[0]!.config, base: residual === null ? base : join(out, BASE) };
  writeAdapterLayers(adapters[0]!.model, draft, config, (layer) => layers.get(layer)!);
  copyCompanions(o.companions ?? companionFolder(sources[0]!.folder, base), draft);
  return aggregationError;
}

/** Adapters that belong to one model, opened together: what merging and averaging begin with. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { writeFileAtomic } from "../io/files.ts";
import type { NamedTensor } from "../io/safetensors.ts";
import { saveWeights } from "../io/weights.ts";
import { type AdapterConfig, openAdapter } from "../models/adapter-files.ts";
import type { OpenAdapter } from "../models/combine.ts";
import { copyCompanions } from "../models/companions.ts";
import { openModel } from "../models/index.ts";
import { withLora } from "../models/lora.ts";
import type { Model } from "../models/model.ts";
import { adapterOf, modelFolder } from "../session/model-folder.ts";
import type { SourceOptions } from "../session/sources.ts";
import { withDtype } from "./export.ts";

/** An adapter as a user named it, its folder, and its configuration with the folder of its model. */
export interface AdapterSource {
  readonly path: string;
  readonly folder: string;
  readonly config: AdapterConfig;
}

/** Adapters of one model, in the order in which they were named. */
export interface OpenAdapters {
  /** Folder of the model. */
  readonly base: string;
  readonly model: Model;
  readonly sources: readonly AdapterSource[];
  readonly adapters: readonly OpenAdapter[];
}

/** Largest weight file, in bytes. */
const SHARD_BYTES = 5e9;

/** Finds adapters, runs with adapters or their checkpoints; UserError where one is a whole model. */
export async function adapterSources(paths: readonly string[], o: SourceOptions): Promise<readonly AdapterSource[]> {
  const sources: AdapterSource[] = [];
  for (const path of paths) {
    const folder = await modelFolder(path, o);
    const config = await adapterOf(folder, o);
    if (config === null) throw new UserError(`${path} is a whole model and no adapter: only adapters can be merged`);
    sources.push({ path, folder, config });
  }
  return sources;
}

/** Works with opened adapters; UserError where they belong to different models. */
export function withAdapters<T>(sources: readonly AdapterSource[], work: (opened: OpenAdapters) => T): T {
  const base = realpathSync(sources[0]!.config.base);
  const other = sources.find(({ config }) => realpathSync(config.base) !== base);
  if (other !== undefined) {
    throw new UserError(
      `${sources[0]!.path} and ${other.path} are adapters of different models (${sources[0]!.config.base} and ${other.config.base}): only adapters of one model can be merged`,
    );
  }
  const model = openModel(base);
  const adapters: OpenAdapter[] = [];
  try {
    for (const { folder, config } of sources) {
      const adapted = withLora(model, config);
      adapters.push({ model: adapted, reader: openAdapter(adapted, folder) });
    }
    return work({ base, model, sources, adapters });
  } finally {
    for (const { reader } of adapters) reader.close();
  }
}

/** The absolute path of a folder to be written; UserError unless it is new or empty. */
export function newFolder(out: string): string {
  const folder = resolve(out);
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new UserError(`--out ${folder}: not a new or empty folder; choose another`);
  }
  return folder;
}

/** Writes a whole model with these weights, in float32, and the files beside them of `base`. */
export function writeModel(folder: string, base: string, model: Model, weights: readonly NamedTensor[]): void {
  saveWeights(folder, weights, { dtype: "F32", maxShardBytes: SHARD_BYTES });
  writeFileAtomic(join(folder, "config.json"), `${JSON.stringify(withDtype(model.config, "float32"), null, 2)}\n`);
  copyCompanions(base, folder);
}

/** Merges several adapters of one model into it: adapters in, a whole model folder out, written beside and renamed. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { writeFileAtomic } from "../io/files.ts";
import { saveWeights } from "../io/weights.ts";
import { openAdapter } from "../models/adapter-files.ts";
import { combinedWeights, type MergeMethod, type OpenAdapter } from "../models/combine.ts";
import { copyCompanions } from "../models/companions.ts";
import { openModel } from "../models/index.ts";
import { withLora } from "../models/lora.ts";
import { openStoredWeights } from "../models/stored-weights.ts";
import { adapterOf, modelFolder } from "../session/model-folder.ts";
import type { SourceOptions } from "../session/sources.ts";
import { withDtype, writeFolder } from "./export.ts";

export { type MergeMethod, mergeMethods } from "../models/combine.ts";

export interface MergeAdaptersOptions extends SourceOptions {
  readonly out: string;
  readonly method: MergeMethod;
  /** One per adapter. */
  readonly adapterWeights: readonly number[];
  readonly density: number;
  readonly lambda: number;
}

/** Largest weight file, in bytes. */
const SHARD_BYTES = 5e9;

/** Merges; throws UserError before anything is written where the adapters belong to different models. */
export async function mergeAdapters(paths: readonly string[], o: MergeAdaptersOptions): Promise<string> {
  const sources = [];
  for (const path of paths) {
    const folder = await modelFolder(path, o);
    const config = await adapterOf(folder, o);
    if (config === null) throw new UserError(`${path} is a whole model and no adapter: viva merge merges adapters`);
    sources.push({ path, folder, config });
  }
  const [first] = sources;
  const base = realpathSync(first!.config.base);
  const other = sources.find(({ config }) => realpathSync(config.base) !== base);
  if (other !== undefined) {
    throw new UserError(
      `${first!.path} and ${other.path} are adapters of different models (${first!.config.base} and ${other.config.base}): only adapters of one model can be merged`,
    );
  }
  const out = resolve(o.out);
  if (existsSync(out) && (!statSync(out).isDirectory() || readdirSync(out).length > 0)) {
    throw new UserError(`--out ${out}: not a new or empty folder; choose another`);
  }
  const model = openModel(base);
  const weights = openStoredWeights(model, base);
  const adapters: OpenAdapter[] = [];
  try {
    for (const { folder, config } of sources) {
      const adapted = withLora(model, config);
      adapters.push({ model: adapted, reader: openAdapter(adapted, folder) });
    }
    writeFolder(out, (draft) => {
      saveWeights(draft, combinedWeights(model, weights, adapters, { ...o, weights: o.adapterWeights }), {
        dtype: "F32",
        maxShardBytes: SHARD_BYTES,
      });
      writeFileAtomic(join(draft, "config.json"), `${JSON.stringify(withDtype(model.config, "float32"), null, 2)}\n`);
      copyCompanions(base, draft);
    });
  } finally {
    for (const { reader } of adapters) reader.close();
    weights.close();
  }
  return out;
}

/** What a checkpoint folder holds of a model on a server: the server's paths, and the adapter itself in PEFT's layout. */
import { existsSync, mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseTar, parseTarGzip } from "nanotar";
import * as z from "zod";
import { messageOf, RunError, UserError } from "../../core/errors.ts";
import { readJson, writeFileAtomic } from "../../io/files.ts";
import { openSafetensors } from "../../io/safetensors.ts";
import { companionFolder, copyCompanions } from "../../models/companions.ts";
import type { EngineOptions } from "../backend.ts";
import type { SavedState } from "./trainer.ts";

/** The file with the server's paths. */
const STATE = "tinker.json";
const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

const stateSchema = z.object({
  /** Of the server, as information: it may have moved. */
  url: z.string(),
  base_model: z.string(),
  state: z.string(),
  reference: z.string().nullable(),
});

export type RemoteCheckpoint = z.output<typeof stateSchema>;

export function writeRemoteCheckpoint(
  folder: string,
  { state, reference }: SavedState,
  o: { readonly url: string; readonly baseModel: string },
): void {
  const checkpoint: RemoteCheckpoint = { url: o.url, base_model: o.baseModel, state, reference };
  writeFileAtomic(join(folder, STATE), `${JSON.stringify(checkpoint, null, 2)}\n`);
}

/** Throws UserError where the folder holds no state on a server. */
export function readRemoteCheckpoint(folder: string): RemoteCheckpoint {
  const path = join(folder, STATE);
  if (!existsSync(path)) {
    throw new UserError(`${folder} was not trained on a server (no ${STATE}), and no server takes an adapter's file`);
  }
  const result = stateSchema.safeParse(readJson(path, "checkpoint on a server"));
  if (result.success) return result.data;
  throw new UserError(`${path}: ${result.error.issues[0]!.path.join(".")} is missing or no text`);
}

/**
 * Writes the adapter of a server's archive, a tar file, gzipped or not, with the tokenizer and processor files beside it. Its
 * configuration is written anew: servers leave out which layers are adapted, and name the base model by their own path.
 */
export async function writeAdapterArchive(folder: string, archive: Uint8Array, o: EngineOptions): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const files = await filesOf(archive);
  const weights = files.get(WEIGHTS);
  const config = files.get(CONFIG);
  if (weights === undefined || config === undefined) {
    throw new RunError(`the server's archive of the adapter has no ${weights === undefined ? WEIGHTS : CONFIG}`);
  }
  copyCompanions(companionFolder(o.adapterFolder ?? o.modelFolder, o.modelFolder), folder);
  writeFileAtomic(join(folder, WEIGHTS), weights);
  const { r, lora_alpha } = rankOf(config);
  const repaired = {
    peft_type: "LORA",
    task_type: null,
    base_model_name_or_path: resolve(o.modelFolder),
    r,
    lora_alpha,
    lora_dropout: 0,
    target_modules: adaptedModules(join(folder, WEIGHTS)),
    bias: "none",
    inference_mode: true,
  };
  writeFileAtomic(join(folder, CONFIG), `${JSON.stringify(repaired, null, 2)}\n`);
}

/** By file name, whatever folder they lie in. */
async function filesOf(archive: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  try {
    const isZipped = archive[0] === 0x1f && archive[1] === 0x8b;
    const items = isZipped ? await parseTarGzip(archive) : parseTar(archive);
    return new Map(items.flatMap(({ name, data }) => (data === undefined ? [] : [[basename(name), data] as const])));
  } catch (cause) {
    throw new RunError(`the server's archive of the adapter is no tar file: ${messageOf(cause)}`, { cause });
  }
}

function rankOf(config: Uint8Array): { readonly r: number; readonly lora_alpha: number } {
  const schema = z.object({ r: z.int().min(1), lora_alpha: z.number() });
  try {
    return schema.parse(JSON.parse(Buffer.from(config).toString("utf8")));
  } catch (cause) {
    throw new RunError(`the server's ${CONFIG} has no r and lora_alpha`, { cause });
  }
}

/** The layers that the weights belong to, by their whole names. */
function adaptedModules(path: string): readonly string[] {
  const file = openSafetensors(path);
  try {
    const modules = file.names.flatMap((name) => /^base_model\.model\.(.*)\.lora_[AB]\.weight$/.exec(name)?.[1] ?? []);
    if (modules.length === 0) throw new RunError(`the server's ${WEIGHTS} names no layers as PEFT does`);
    return [...new Set(modules)].sort();
  } finally {
    file.close();
  }
}

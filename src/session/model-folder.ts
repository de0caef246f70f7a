/** The folder of weights behind a name: a model folder, an adapter with the model it belongs to, a run's checkpoint. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { parseHubName } from "../io/hub/index.ts";
import { type AdapterConfig, isAdapterFolder, readAdapterConfig } from "../models/adapter-files.ts";
import { findCheckpoint, listCheckpoints } from "../runs/checkpoints.ts";
import { isRun, runPaths, stepName } from "../runs/run-folder.ts";
import { hashModel } from "./content-hashes.ts";
import { requireRecorded } from "./recorded-hashes.ts";
import { locateModel, type Source, type SourceOptions } from "./sources.ts";

/**
 * The configuration of an adapter folder, `base` the folder of its model, which PEFT names by folder or by its id on the
 * Hub; null for a model folder.
 */
export async function adapterOf(folder: string, o: SourceOptions): Promise<AdapterConfig | null> {
  if (!isAdapterFolder(folder)) return null;
  const adapter = readAdapterConfig(folder);
  const named = { ...o, key: `the model of the adapter ${folder}`, weights: true, isHubId: true };
  const base = (await locateModel(adapter.base, named)).folder;
  if (!existsSync(join(base, "config.json"))) {
    throw new UserError(`${folder}: the adapter's model ${base} is not a model folder`);
  }
  await requireBase(folder, base);
  return { ...adapter, base };
}

/** The adapters of a run belong to the weights that they were trained on. */
async function requireBase(folder: string, base: string): Promise<void> {
  const run = runOf(folder);
  if (run === null) return;
  const hashes = { model_sha256: await hashModel(base) };
  requireRecorded(run, hashes, `its adapters do not belong to the model in ${base}: bring back what was there`);
}

/** What a server calls a model: its id on the Hub, by which clients find its tokenizer, or the last part of its path. */
export function nameOfModel(path: string): string {
  return parseHubName(path)?.name ?? basename(resolve(path.replace(/@[^@/]*$/, "")));
}

export interface ModelFolderOptions extends SourceOptions {
  /** How errors call the path; "checkpoint" by default. */
  readonly key?: string;
  /** A run's checkpoint of this step; the newest by default. */
  readonly step?: number;
  readonly revision?: string | null;
  /** Whether a download takes the weights; default true. */
  readonly weights?: boolean;
}

/**
 * The model or adapter folder that a path names, and the commit of one on the Hub: the path itself, a checkpoint of the run
 * that it is, a model that ships, or one on the Hub.
 */
export async function locateModelFolder(path: string, o: ModelFolderOptions): Promise<Source> {
  const { step, key = "checkpoint", weights = true } = o;
  if (!isRun(path)) {
    const source = await locateModel(path, { ...o, key, weights });
    const { folder } = source;
    if (step !== undefined) throw new UserError(`${path} is no run: --step chooses a checkpoint of a run`);
    if (existsSync(join(folder, "config.json")) || isAdapterFolder(folder)) return source;
    if (isFile(folder)) {
      throw new UserError(`${key}: ${path} is a file: name the folder that holds the model, as ${dirname(path)}`);
    }
    throw new UserError(
      `${key === "checkpoint" ? "" : `${key}: `}${path} is neither a run (no recipe.yaml), nor a model folder (no config.json), nor an adapter folder (no adapter_config.json)`,
    );
  }
  if (o.revision != null) {
    throw new UserError(`${key}: ${path} is a run here, which has no revision ${o.revision}: leave the revision out`);
  }
  const paths = runPaths(path);
  const steps = await listCheckpoints(paths);
  if (step !== undefined) {
    if (steps.includes(step)) return { folder: join(paths.checkpoints, stepName(step)), commit: null };
    throw new UserError(`${path} has no checkpoint of step ${step}; it has ${steps.join(", ") || "none"}`);
  }
  const { checkpoint } = await findCheckpoint(paths);
  if (checkpoint === null) throw new UserError(`${path} has no whole checkpoint yet`);
  return { folder: checkpoint.folder, commit: null };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** The folder alone. */
export async function modelFolder(path: string, o: ModelFolderOptions): Promise<string> {
  return (await locateModelFolder(path, o)).folder;
}

/**
 * The run that a path is, or whose checkpoints folder holds it; null for a folder of no run. That a recipe.yaml lies two
 * folders above says nothing: viva init writes one into the folder that models and data lie in.
 */
export function runOf(path: string): string | null {
  if (isRun(path)) return path;
  const holder = dirname(resolve(path));
  const run = dirname(holder);
  return isRun(run) && runPaths(run).checkpoints === holder ? run : null;
}

/** Where a model or a data set comes from: a folder that exists wins, else "org/name" is downloaded from the Hub or its cache. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import {
  datasetPlan,
  hubSettings,
  modelPlan,
  openRepositoryId,
  openSnapshot,
  parseRepositoryId,
  type Repository,
} from "../io/hub/index.ts";
import type { DatasetSpec, Recipe } from "../recipes/schema.ts";
import type { Reporter } from "../runs/reporter.ts";

export interface SourceOptions {
  /** Told of a download's progress and of what went wrong on the way. */
  readonly reporter?: Reporter | undefined;
  readonly signal?: AbortSignal | undefined;
  /** In place of the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** What a name stood for. */
export interface Source {
  /** A folder, or the file that a data set's path names. */
  readonly folder: string;
  /** The commit on the Hub; null for what was here. */
  readonly commit: string | null;
}

export interface NamedSource extends SourceOptions {
  /** How errors call the name, e.g. "model.path". */
  readonly key: string;
  readonly revision?: string | null;
}

/** A model's folder; without `weights`, a download leaves them out. */
export function locateModel(path: string, o: NamedSource & { readonly weights: boolean }): Promise<Source> {
  return locate("model", path, o, modelPlan(o));
}

/** A data set's folder or file. */
export function locateDataset(path: string, o: NamedSource): Promise<Source> {
  return locate("dataset", path, o, datasetPlan());
}

/** A recipe whose model and data are folders here, and the same with every revision pinned to the commit found. */
export async function locateRecipe(
  recipe: Recipe,
  o: SourceOptions = {},
): Promise<{ readonly local: Recipe; readonly pinned: Recipe }> {
  const { model, data } = recipe;
  const named = { ...o, key: "model.path", revision: model.revision, weights: model.init === "pretrained" };
  const located = await locateModel(model.path, named);
  const train = await locateSpec(data.train, "data.train.path", o);
  const evaluation = data.eval === null ? null : await locateSpec(data.eval, "data.eval.path", o);
  return {
    local: {
      ...recipe,
      model: { ...model, path: located.folder, revision: null },
      data: { ...data, train: train.local, eval: evaluation?.local ?? null },
    },
    pinned: {
      ...recipe,
      model: pin(model, located.commit),
      data: { ...data, train: train.pinned, eval: evaluation?.pinned ?? null },
    },
  };
}

/** A recipe with the commits of `run` wherever it names the same repository: what a run is compared with on resuming. */
export function pinnedLike(recipe: Recipe, run: Recipe): Recipe {
  const like = <T extends { readonly path: string | null; readonly revision: string | null }>(
    own: T,
    its: T | null,
  ): T => {
    const id = own.path === null || its?.revision == null ? null : parseRepositoryId(own.path);
    return id === null || id.name !== its!.path ? own : pin(own, its!.revision);
  };
  const { train, eval: evaluation } = recipe.data;
  return {
    ...recipe,
    model: like(recipe.model, run.model),
    data: {
      ...recipe.data,
      train: like(train, run.data.train),
      eval: evaluation === null ? null : like(evaluation, run.data.eval),
    },
  };
}

async function locateSpec(spec: DatasetSpec, key: string, o: SourceOptions) {
  if (spec.path === null) return { local: spec, pinned: spec };
  const { folder, commit } = await locateDataset(spec.path, { ...o, key, revision: spec.revision });
  return { local: { ...spec, path: folder, revision: null }, pinned: pin(spec, commit) };
}

function pin<T extends { readonly path: string | null; readonly revision: string | null }>(
  spec: T,
  commit: string | null,
): T {
  if (spec.path === null || commit === null) return spec;
  return { ...spec, path: parseRepositoryId(spec.path)!.name, revision: commit };
}

async function locate(
  type: Repository["type"],
  path: string,
  { key, revision = null, env = process.env, reporter, signal }: NamedSource,
  plan: Parameters<typeof openSnapshot>[2],
): Promise<Source> {
  if (existsSync(path)) {
    if (revision === null) return { folder: path, commit: null };
    throw new UserError(`${key}: ${path} is a folder here, which has no revision ${revision}: leave the revision out`);
  }
  const absent = `${key}: there is no folder ${resolve(path)}`;
  if (parseRepositoryId(path) === null) {
    throw new UserError(`${absent}, and "${path}" is no id of the Hub (org/name or org/name@revision)`);
  }
  const repository = openRepositoryId(type, path, revision);
  try {
    const onProgress = reporter && downloadProgress(repository.name, reporter);
    const onNotice = reporter && ((text: string) => reporter.warn(text));
    return await openSnapshot(hubSettings(env), repository, plan, { signal, onProgress, onNotice });
  } catch (error) {
    const message = `${absent}; from the Hub: ${messageOf(error)}`;
    if (error instanceof UserError) throw new UserError(message, { cause: error });
    if (error instanceof RunError) throw new RunError(message, { cause: error });
    throw error;
  }
}

/** Megabytes as steps of a stage. */
function downloadProgress(name: string, reporter: Reporter): (done: number, total: number) => void {
  const stage = `download ${name}, MB`;
  const start = performance.now();
  let shown = -1;
  return (done, bytes) => {
    const step = Math.floor(done / 1e6);
    const total = Math.ceil(bytes / 1e6);
    const now = done === bytes ? total : Math.min(step, total - 1);
    if (now === shown) return;
    shown = now;
    const seconds = Math.max(1e-3, (performance.now() - start) / 1000);
    reporter.step({ stage, step: now, total, metrics: { "throughput/mb_per_second": done / 1e6 / seconds } });
  };
}

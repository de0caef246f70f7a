/**
 * Where a model or a data set comes from: a path here, the name of a model that ships, or `hf:org/name`, which is downloaded
 * from the Hub or its cache. A path at which nothing is goes nowhere.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import { HUB, pathAdvice, shippedModel } from "../core/named-paths.ts";
import {
  datasetPlan,
  hubSettings,
  modelPlan,
  openRepositoryId,
  openSnapshot,
  parseRepositoryId,
  type Repository,
} from "../io/hub/index.ts";
import type { OnProgress, Reporter } from "../runs/reporter.ts";

export interface SourceOptions {
  /** Told of a download's progress and of what went wrong on the way. */
  readonly reporter?: Reporter | undefined;
  readonly signal?: AbortSignal | undefined;
  /** In place of the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Progress of a piece of work, for whoever opens a run. */
export function telling(what: string, { reporter }: SourceOptions): OnProgress {
  return (done, total) => reporter?.progress({ what, done, total });
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
  /** What is no path here is an id of the Hub without being written `hf:…`: the files of other tools name models so. */
  readonly isHubId?: boolean;
}

/** A model's folder; without `weights`, a download leaves them out. */
export function locateModel(path: string, o: NamedSource & { readonly weights: boolean }): Promise<Source> {
  return locate("model", path, o, modelPlan(o));
}

/** A data set's folder or file. */
export function locateDataset(path: string, o: NamedSource): Promise<Source> {
  return locate("dataset", path, o, datasetPlan());
}

async function locate(
  type: Repository["type"],
  path: string,
  { key, revision = null, isHubId = false, env = process.env, reporter, signal }: NamedSource,
  plan: Parameters<typeof openSnapshot>[2],
): Promise<Source> {
  const isMarked = path.startsWith(HUB);
  const here = isMarked ? null : existsSync(path) ? path : type === "model" ? shippedModel(path) : null;
  if (here !== null) {
    if (revision === null) return { folder: here, commit: null };
    throw new UserError(`${key}: ${path} is a folder here, which has no revision ${revision}: leave the revision out`);
  }
  const what = type === "model" ? "folder" : "file or folder";
  const absent = isMarked ? `${key}: ${path}` : `${key}: there is no ${what} ${resolve(path)}`;
  if (!isMarked && !isHubId) throw new UserError(absent + pathAdvice(path, { model: type === "model" }));
  const id = isMarked ? path.slice(HUB.length) : path;
  if (parseRepositoryId(id) === null) {
    throw new UserError(
      `${absent}${isMarked ? "" : ","} and "${id}" is no id of the Hub (org/name or org/name@revision)`,
    );
  }
  const repository = openRepositoryId(type, id, revision);
  try {
    const onProgress = reporter && downloadProgress(repository.name, reporter);
    const onNotice = reporter && ((text: string) => reporter.warn(text));
    return await openSnapshot(hubSettings(env), repository, plan, { signal, onProgress, onNotice });
  } catch (error) {
    const message = `${absent}${isMarked ? "" : "; from the Hub"}: ${messageOf(error)}`;
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

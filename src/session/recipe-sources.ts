/** A recipe's model and data as folders here, and the recipe that says which they were. */
import { dirname } from "node:path";
import { HUB } from "../core/named-paths.ts";
import { engines } from "../engine/index.ts";
import { parseHubName } from "../io/hub/index.ts";
import type { AdapterConfig } from "../models/adapter-files.ts";
import type { DatasetSpec, Recipe } from "../recipes/schema.ts";
import { isRun, runPaths } from "../runs/run-folder.ts";
import { adapterOf, locateModelFolder } from "./model-folder.ts";
import { locateDataset, type SourceOptions } from "./sources.ts";

/** An adapter that training goes on with, and where it lies. */
export interface StartAdapter extends AdapterConfig {
  readonly folder: string;
}

export interface LocatedRecipe {
  /** Its model and data are folders here; of an adapter, the model it belongs to. */
  readonly local: Recipe;
  /** As it was written, with revisions pinned to the commits found and a run to its checkpoint. */
  readonly pinned: Recipe;
  /** Where model.path names an adapter. */
  readonly adapter: StartAdapter | null;
}

/** Finds what a recipe names; downloads what is not here. */
export async function locateRecipe(recipe: Recipe, o: SourceOptions = {}): Promise<LocatedRecipe> {
  const { model, data } = recipe;
  const { path, revision } = model;
  const named = {
    ...o,
    key: "model.path",
    revision,
    weights: model.init === "pretrained" && !engines[recipe.engine.backend].remote,
  };
  const { folder, commit } = await locateModelFolder(path, named);
  const adapter = await adapterOf(folder, o);
  const train = await locateSpec(data.train, "data.train.path", o);
  const evaluation = data.eval === null ? null : await locateSpec(data.eval, "data.eval.path", o);
  return {
    local: {
      ...recipe,
      model: { ...model, path: adapter?.base ?? folder, revision: null },
      data: { ...data, train: train.local, eval: evaluation?.local ?? null },
    },
    pinned: {
      ...recipe,
      // A run writes further checkpoints; a model that ships lies where viva is installed.
      model: commit === null ? { ...model, path: folder } : pin(model, commit),
      data: { ...data, train: train.pinned, eval: evaluation?.pinned ?? null },
    },
    adapter: adapter === null ? null : { ...adapter, folder },
  };
}

/** A recipe with the commits and checkpoints of `run` wherever it names the same: what a run is compared with on resuming. */
export function pinnedLike(recipe: Recipe, run: Recipe): Recipe {
  const like = <T extends { readonly path: string | null; readonly revision: string | null }>(
    own: T,
    its: T | null,
  ): T => {
    if (own.path === null || its === null || its.path === null) return own;
    if (isRun(own.path) && dirname(its.path) === runPaths(own.path).checkpoints) return { ...own, path: its.path };
    const id = its.revision === null ? null : parseHubName(own.path);
    return id === null || id.name !== parseHubName(its.path)?.name ? own : pin(own, its.revision);
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
  return { ...spec, path: HUB + parseHubName(spec.path)!.name, revision: commit };
}

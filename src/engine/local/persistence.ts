/**
 * A local engine's state in a folder: the model, or its adapter, in the standard layout, plus what an exact resume
 * needs: the optimiser's moments and masks (optimizer.safetensors), the KL reference where it differs from frozen weights
 * (reference.safetensors), and the number of updates (engine.json).
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Params } from "../../compiler/tensor.ts";
import { UserError } from "../../core/errors.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import { readJson, writeFileAtomic } from "../../io/files.ts";
import { requireFinite } from "../../io/finite.ts";
import { openSafetensors, writeSafetensors } from "../../io/safetensors.ts";
import { saveWeights } from "../../io/weights.ts";
import { readAdapter, writeAdapter } from "../../models/adapter-files.ts";
import { companionFolder, copyCompanions } from "../../models/companions.ts";
import type { Model } from "../../models/model.ts";
import type { AdamWState } from "../../nn/adamw.ts";
import type { MaskState } from "../../nn/update-masks.ts";
import type { EngineOptions, ImageLimits } from "../backend.ts";
import { holdAll } from "./arrays/arrays.ts";
import { readWeights, WeightStore } from "./weight-store.ts";

const OPTIMIZER = "optimizer.safetensors";
const REFERENCE = "reference.safetensors";
const ENGINE_STATE = "engine.json";

/** What the file of the optimiser holds of a weight. */
type Kind = keyof AdamWState | keyof MaskState;

/**
 * Writes config, weights and tokenizer files; with an adapter, its configuration and weights instead of the model's.
 */
export function saveModel(folder: string, model: Model, values: Params<TensorData>, o: EngineOptions): void {
  mkdirSync(folder, { recursive: true });
  copyCompanions(companionFolder(o.adapterFolder ?? o.modelFolder, o.modelFolder), folder);
  writeImageLimits(folder, o.imageLimits ?? {});
  const { lora = null } = o;
  if (lora === null) {
    writeFileSync(join(folder, "config.json"), `${JSON.stringify(model.config, null, 2)}\n`);
    saveWeights(
      folder,
      named(values).map(({ data, name, shape }) => {
        return {
          name: storedName(model, name),
          shape,
          data: requireFinite(data, name, `what was to be written to ${folder}`),
        };
      }),
    );
  } else {
    const scoreHead = model.scoreHead !== undefined;
    const config = { ...lora, base: resolve(o.modelFolder), scoreHead };
    writeAdapter(model, folder, config, (name) => values[name]!.data as Float32Array);
  }
}

/**
 * With a score head by the module tree: transformers renames older names for the classes it knows, and makes none of these
 * models' for sequence classification.
 */
function storedName({ scoreHead, moduleName }: Model, name: string): string {
  return scoreHead === undefined ? name : moduleName(name);
}

/** Writes the optimiser's moments and masks, and the reference, next to a saved model. */
export function saveTrainingState(folder: string, store: WeightStore, reference: Params<TensorData> | null): void {
  const { steps, names, masked } = store.optimizer;
  const arrays = (name: string, kinds: MaskState | AdamWState) => {
    const { shape } = store.values[name]!;
    return Object.entries(kinds).map(([kind, data]) => ({ name: `${kind}.${name}`, shape, data }));
  };
  const moments = names.flatMap((name) => arrays(name, momentsOf(store, name)));
  const masks = masked.flatMap((name) => arrays(name, store.mask(name)));
  if (moments.length > 0) writeSafetensors(join(folder, OPTIMIZER), [...moments, ...masks], "F32");
  if (reference !== null) {
    const moved = Object.fromEntries(Object.entries(reference).filter(([name]) => store.trainable.has(name)));
    writeSafetensors(join(folder, REFERENCE), named(moved), "F32");
  }
  writeFileSync(join(folder, ENGINE_STATE), JSON.stringify({ steps }));
}

/**
 * Loads the weights of a folder saved for resuming: with an adapter, its weights into `store`, whose frozen ones are
 * kept; else into a new store. Throws UserError if the folder has no training state.
 */
export function loadWeights(folder: string, model: Model, store: WeightStore, { lora }: EngineOptions): WeightStore {
  if (!existsSync(join(folder, ENGINE_STATE))) throw new UserError(`${folder} holds no training state to resume from`);
  const { arrays, trainable } = store;
  if (!lora) return new WeightStore(model, holdAll(arrays, readWeights(model, folder)), trainable, arrays);
  loadAdapter(folder, model, store);
  return store;
}

/**
 * Loads the saved moments and masks into the store and clears its gradients; returns the reference, or null if there was none.
 */
export function loadTrainingState(folder: string, model: Model, store: WeightStore): Params<TensorData> | null {
  const { steps } = readState(folder);
  if (steps > 0 && !existsSync(join(folder, OPTIMIZER))) {
    throw new UserError(`${folder}: ${OPTIMIZER} is missing, so training cannot resume exactly`);
  }
  store.restoreOptimizer(steps);
  readInto(join(folder, OPTIMIZER), (name, data) => {
    const [, kind, weight] = /^(first|second|start|total)\.(.*)$/.exec(name)! as unknown as [string, Kind, string];
    if (kind === "second" && data.some((value) => value < 0)) {
      throw new UserError(`${join(folder, OPTIMIZER)}: ${name} is a mean of squares and holds a number below 0`);
    }
    if (kind === "first" || kind === "second") store.arrays.write(store.moments(weight)[kind], data);
    else store.mask(weight)[kind].set(data);
  });
  const reference: Record<string, TensorData> = {};
  readInto(join(folder, REFERENCE), (name, data) => {
    reference[name] = store.arrays.hold({ dtype: "float32", shape: model.weights[name]!.shape, data });
  });
  return Object.keys(reference).length > 0 ? { ...store.values, ...reference } : null;
}

/** The number of updates. */
function readState(folder: string): { readonly steps: number } {
  const path = join(folder, ENGINE_STATE);
  const { steps } = (readJson(path, "engine state") ?? {}) as { readonly steps?: unknown };
  if (Number.isSafeInteger(steps) && (steps as number) >= 0) return { steps: steps as number };
  throw new UserError(`${path}: steps must be the whole number of updates so far, got ${JSON.stringify(steps)}`);
}

/** Loads an adapter folder's weights into the store. */
export function loadAdapter(folder: string, model: Model, store: WeightStore): void {
  for (const [name, data] of Object.entries(readAdapter(model, folder))) {
    store.arrays.write(store.values[name]!, data);
  }
}

/** Writes the image limits used in training to the image processor's configuration, where every tool reads them. */
function writeImageLimits(folder: string, { minPixels, maxPixels }: ImageLimits): void {
  const path = join(folder, "preprocessor_config.json");
  if ((minPixels === undefined && maxPixels === undefined) || !existsSync(path)) return;
  const config = readJson(path, "image processor configuration") as Record<string, unknown>;
  const limits = {
    ...(minPixels === undefined ? {} : { min_pixels: minPixels }),
    ...(maxPixels === undefined ? {} : { max_pixels: maxPixels }),
  };
  const size = {
    ...(config["size"] as object | undefined),
    ...(minPixels === undefined ? {} : { shortest_edge: minPixels }),
    ...(maxPixels === undefined ? {} : { longest_edge: maxPixels }),
  };
  const own = config["size"] === undefined ? limits : { ...("min_pixels" in config ? limits : {}), size };
  writeFileAtomic(path, `${JSON.stringify({ ...config, ...own }, null, 2)}\n`);
}

/** A weight's moments in the host's memory. */
export function momentsOf(store: WeightStore, name: string): AdamWState {
  const { first, second } = store.moments(name);
  return { first: first.data as Float32Array, second: second.data as Float32Array };
}

function named(values: Params<TensorData>) {
  return Object.entries(values).map(([name, { shape, data }]) => ({ name, shape, data: data as Float32Array }));
}

function readInto(path: string, set: (name: string, data: Float32Array) => void): void {
  if (!existsSync(path)) return;
  const file = openSafetensors(path);
  try {
    for (const name of file.names) set(name, requireFinite(file.readFloat32(name), name, path));
  } finally {
    file.close();
  }
}

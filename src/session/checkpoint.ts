/** Opens a trained or downloaded model for evaluation and generation: a model folder, a run, or a run's checkpoint. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type PromptName, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { findDataset } from "../data/index.ts";
import { type ImageLimits, type QuantizedKind, quantizedBits } from "../engine/backend.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { engines } from "../engine/index.ts";
import { type AdapterConfig, isAdapterFolder, readAdapterConfig } from "../models/adapter-files.ts";
import { openProcessor } from "../models/index.ts";
import { loadRecipe } from "../recipes/load.ts";
import type { Recipe } from "../recipes/schema.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { findCheckpoint, listCheckpoints } from "../runs/checkpoints.ts";
import { isRun, runPaths, stepName } from "../runs/run-folder.ts";
import { hashModel } from "./content-hashes.ts";
import { loadExamples } from "./examples.ts";
import { requireRecorded } from "./recorded-hashes.ts";
import { imageLimits } from "./session.ts";
import { locateModel, type SourceOptions } from "./sources.ts";

export interface OpenCheckpointOptions extends SourceOptions {
  /** A run's checkpoint of this step; the newest by default. */
  readonly step?: number;
  /** In place of the run's prompt; "plain" for a folder that belongs to no run. */
  readonly prompt?: PromptName | PromptStyle;
  /** 0: as many as ONNX Runtime chooses. */
  readonly threads?: number;
  /** The CPU by default, whatever a run was trained on. */
  readonly device?: Device;
  /** Rounds the matrices to integers; what is opened can be sampled and scored, not trained. */
  readonly quantize?: QuantizedKind;
  /** In place of the run's limits on image size; the model's own for a folder that belongs to no run. */
  readonly imageLimits?: ImageLimits;
  /** Completions decoded at the same time, and the bytes of keys and values that live decoding may take. */
  readonly live?: { readonly rows: number; readonly cacheBytes: number };
}

export { type PromptName, promptStyle } from "../answers/prompts.ts";

export interface OpenedCheckpoint {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  /** The model or adapter folder that was opened. */
  readonly folder: string;
  /** Where an adapter's model is; `folder` itself where there is none. */
  readonly base: string;
  readonly imageLimits: ImageLimits;
  /** The recipe of the run it belongs to, if any. */
  readonly recipe: Recipe | null;
}

/** Tokens of one scoring pass. */
const MICRO_BATCH_TOKENS = 4096;
/** Completions decoded at the same time. */
const ROWS = 64;

export async function openCheckpoint(path: string, o: OpenCheckpointOptions = {}): Promise<OpenedCheckpoint> {
  const folder = await modelFolder(path, o);
  const adapter = await adapterOf(folder, o);
  const base = adapter?.base ?? folder;
  const recipe = recipeOf(path);
  const own = recipe === null ? "plain" : recipe.prompt;
  const chosen = o.prompt ?? own;
  const files = existsSync(join(folder, "tokenizer.json")) ? folder : base;
  const limits = o.imageLimits ?? (recipe === null ? {} : imageLimits(recipe));
  const processor = await openProcessor(base, limits, files);
  const engine = await engines.local.open(
    {
      modelFolder: base,
      initialise: "pretrained",
      seed: 0,
      freeze: [],
      lora: adapter,
      quantizeFrozen: quantizedBits(o.quantize ?? null),
      adapterFolder: adapter === null ? null : folder,
      threads: o.threads ?? 0,
      ...(o.device === undefined ? {} : { device: o.device }),
      microBatchTokens: MICRO_BATCH_TOKENS,
      ...(o.live ?? { rows: ROWS }),
    },
    processor,
  );
  const prompt = typeof chosen === "string" ? promptStyle(chosen) : chosen;
  return { engine, processor, prompt, folder, base, imageLimits: limits, recipe };
}

/** How the run that a path belongs to puts its questions; nothing where it belongs to none. */
export function questionsAskedBy(path: string): {
  readonly prompt?: PromptStyle;
  readonly imageLimits?: ImageLimits;
  readonly length?: number;
} {
  const recipe = recipeOf(path);
  if (recipe === null) return {};
  const prompt = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  return { prompt, imageLimits: imageLimits(recipe), length: evaluationLength(recipe) };
}

/** The model that a run or an adapter was trained from, as a name to open; throws UserError where there is none. */
export async function untunedModel(path: string, o: SourceOptions & { readonly step?: number } = {}): Promise<string> {
  const recipe = recipeOf(path);
  if (recipe !== null) {
    const { path: model, revision, init } = recipe.model;
    if (init === "pretrained") return revision === null ? model : `${model}@${revision}`;
    throw new UserError(`${path} was trained from random weights: there is no untuned model to stand beside it`);
  }
  const adapter = await adapterOf(await modelFolder(path, o), o);
  if (adapter !== null) return adapter.base;
  throw new UserError(`${path} is neither a run nor an adapter: name the model it was trained from`);
}

/**
 * The configuration of an adapter folder, `base` the folder of its model, which PEFT names by folder or by its id on the
 * Hub; null for a model folder.
 */
export async function adapterOf(folder: string, o: SourceOptions): Promise<AdapterConfig | null> {
  if (!isAdapterFolder(folder)) return null;
  const adapter = readAdapterConfig(folder);
  const named = { ...o, key: `the model of the adapter ${folder}`, weights: true };
  const base = (await locateModel(adapter.base, named)).folder;
  if (existsSync(join(base, "config.json"))) {
    await requireBase(folder, base);
    return { ...adapter, base };
  }
  throw new UserError(`${folder}: the adapter's model ${base} is not a model folder`);
}

/**
 * The training examples of the run that a path belongs to, but not of a generated set, whose splits share nothing; null for
 * no run, and where they cannot be read any more.
 */
export async function trainedOn(path: string): Promise<readonly Example[] | null> {
  const recipe = recipeOf(path);
  if (recipe === null || findDataset(recipe.data.train.name).generated) return null;
  try {
    return (await loadExamples(recipe.data.train, recipe)).examples;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** The model or adapter folder that a path names: itself, a checkpoint of the run that it is, or a model on the Hub. */
export async function modelFolder(path: string, o: SourceOptions & { readonly step?: number }): Promise<string> {
  const { step } = o;
  if (!isRun(path)) {
    const { folder } = await locateModel(path, { ...o, key: "checkpoint", weights: true });
    if (step !== undefined) throw new UserError(`${path} is no run: --step chooses a checkpoint of a run`);
    if (existsSync(join(folder, "config.json")) || isAdapterFolder(folder)) return folder;
    throw new UserError(`${path} is neither a run (no recipe.yaml) nor a model folder (no config.json)`);
  }
  const paths = runPaths(path);
  const steps = await listCheckpoints(paths);
  if (step !== undefined) {
    if (steps.includes(step)) return join(paths.checkpoints, stepName(step));
    throw new UserError(`${path} has no checkpoint of step ${step}; it has ${steps.join(", ") || "none"}`);
  }
  const { checkpoint } = await findCheckpoint(paths);
  if (checkpoint === null) throw new UserError(`${path} has no whole checkpoint yet`);
  return checkpoint.folder;
}

/** The run that a path is, or whose checkpoints folder holds it; null for a folder of no run. */
export function runOf(path: string): string | null {
  return [path, dirname(dirname(resolve(path)))].find(isRun) ?? null;
}

/** The adapters of a run belong to the weights that they were trained on. */
async function requireBase(folder: string, base: string): Promise<void> {
  const run = runOf(folder);
  if (run === null) return;
  const hashes = { model_sha256: await hashModel(base) };
  requireRecorded(run, hashes, `its adapters do not belong to the model in ${base}: bring back what was there`);
}

function recipeOf(path: string): Recipe | null {
  const run = runOf(path);
  return run === null ? null : loadRecipe(runPaths(run).recipe).recipe;
}

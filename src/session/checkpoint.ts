/** Opens a trained or downloaded model for evaluation and generation: a model folder, a run, or a run's checkpoint. */
import { type PromptName, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import { HUB } from "../core/named-paths.ts";
import type { Processor } from "../core/processor.ts";
import type { Example, ImageView } from "../core/records.ts";
import { findDataset } from "../data/index.ts";
import {
  type EngineBackend,
  type EngineServer,
  type ImageLimits,
  type QuantizedKind,
  quantizedBits,
} from "../engine/backend.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { engineNames, engines } from "../engine/index.ts";
import { companionFolder } from "../models/companions.ts";
import { openProcessor } from "../models/index.ts";
import { viewOf } from "../recipes/datasets.ts";
import { loadRecipe } from "../recipes/load.ts";
import type { Recipe } from "../recipes/schema.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { runPaths } from "../runs/run-folder.ts";
import { imageProbe } from "./engine-demands.ts";
import { trainingExamples } from "./examples.ts";
import { adapterOf, modelFolder, runOf } from "./model-folder.ts";
import { offline } from "./model-view.ts";
import { imageLimits, serverOf, tellNotices, threadsHere } from "./recipe-options.ts";
import { type SourceOptions, telling } from "./sources.ts";

export interface OpenCheckpointOptions extends SourceOptions {
  /** A run's checkpoint of this step; the newest by default. */
  readonly step?: number;
  /** In place of the run's prompt; "plain" for a folder that belongs to no run. */
  readonly prompt?: PromptName | PromptStyle;
  /** Where it is computed; by default as the run it belongs to was trained, else here. */
  readonly engine?: AskedEngine;
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

/** "local" for this machine, or a server; what is left out is as the run has it. */
export type AskedEngine = "local" | (Pick<EngineServer, "url"> & Partial<EngineServer>);

export {
  encodeOptions,
  encodeQuestion,
  messagesInStyle,
  opensThought,
  type PromptName,
  type PromptStyle,
  promptStyle,
} from "../answers/prompts.ts";

export interface OpenedCheckpoint {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  /** The model or adapter folder that was opened. */
  readonly folder: string;
  /** Where an adapter's model is; `folder` itself where there is none. */
  readonly base: string;
  readonly imageLimits: ImageLimits;
  /** The server that computes; null for this machine. */
  readonly server: EngineServer | null;
  /** The recipe of the run it belongs to, if any. */
  readonly recipe: Recipe | null;
}

/** The engine of a server that no run names. */
const REMOTE = engineNames.find((name) => engines[name].remote)!;
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
  const limits = o.imageLimits ?? (recipe === null ? {} : imageLimits(recipe));
  const processor = await openProcessor(base, limits, companionFolder(folder, base));
  tellNotices(processor, o);
  const prompt = typeof chosen === "string" ? promptStyle(chosen) : chosen;
  const { backend, server } = engineFor(o.engine, recipe);
  const isRemote = backend.remote === true;
  const quantised = { key: `quantize: ${o.quantize}`, feature: "quantised_base" } as const;
  const engine = await backend.open(
    {
      modelFolder: base,
      initialise: "pretrained",
      seed: 0,
      freeze: [],
      lora: adapter,
      scoreHead: adapter?.scoreHead === true,
      quantizeFrozen: quantizedBits(o.quantize ?? null),
      adapterFolder: adapter === null ? null : folder,
      threads: threadsHere(o.threads ?? 0),
      ...(o.device === undefined ? {} : { device: o.device }),
      server,
      microBatchTokens: MICRO_BATCH_TOKENS,
      ...(o.live ?? { rows: ROWS }),
    },
    processor,
    {
      features: o.quantize === undefined ? [] : [quantised],
      images: isRemote ? await imageProbe({ processor, prompt }) : null,
    },
    telling(o.quantize === undefined ? "reading weights" : "quantising weights", o),
  );
  for (const notice of engine.notices ?? []) o.reporter?.warn(notice);
  return { engine, processor, prompt, folder, base, imageLimits: limits, server, recipe };
}

/** The engine that was asked for, else that of the run, else this machine's. */
function engineFor(
  asked: AskedEngine | undefined,
  recipe: Recipe | null,
): { readonly backend: EngineBackend; readonly server: EngineServer | null } {
  const own = recipe?.engine;
  const server = own === undefined ? null : serverOf(own);
  if (asked === "local" || (asked === undefined && server === null)) return { backend: engines.local, server: null };
  const name = own !== undefined && engines[own.backend].remote ? own.backend : REMOTE;
  const { url, model = server?.model ?? null, apiKeyEnv = server?.apiKeyEnv ?? null } = asked ?? server!;
  return { backend: engines[name], server: { url, model, apiKeyEnv } };
}

/** How and where the run that a path belongs to puts its questions; nothing where it belongs to none. */
export function questionsAskedBy(path: string): {
  readonly prompt?: PromptStyle;
  readonly imageLimits?: ImageLimits;
  readonly length?: number;
  readonly engine?: AskedEngine;
  readonly view?: ImageView;
} {
  const recipe = recipeOf(path);
  if (recipe === null) return {};
  const prompt = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  const server = serverOf(recipe.engine);
  const engine = server === null ? {} : { engine: server };
  return {
    prompt,
    imageLimits: imageLimits(recipe),
    length: evaluationLength(recipe),
    view: viewOfRun({ recipe }),
    ...engine,
  };
}

/** The model that a run or an adapter was trained from, as a name to open; throws UserError where there is none. */
export async function untunedModel(path: string, o: SourceOptions & { readonly step?: number } = {}): Promise<string> {
  const recipe = recipeOf(path);
  if (recipe !== null) {
    const { path: model, revision, init } = recipe.model;
    if (init === "pretrained") return revision === null ? model : `${model}@${revision}`;
    throw new UserError(`${path} was trained from random weights: there is no untuned model to compare it with`);
  }
  const adapter = await adapterOf(await modelFolder(path, o), o);
  if (adapter !== null) return adapter.base;
  throw new UserError(`${path} is neither a run nor an adapter: name the model it was trained from`);
}

/** What the run that a path belongs to was trained on. */
export interface TrainedOn {
  /** Empty for a generated set, whose splits share nothing. */
  readonly examples: readonly Example[];
  /** Why they cannot be read any more; null where they were. */
  readonly unknown: string | null;
  /** Runs tried to choose its settings. */
  readonly tuningTrials: number;
}

/** The training examples of a run; null for a path that belongs to none. Nothing is downloaded for it. */
export async function trainedOn(path: string, { env }: SourceOptions = {}): Promise<TrainedOn | null> {
  const recipe = recipeOf(path);
  if (recipe === null) return null;
  const { train } = recipe.data;
  const { tuning_trials: tuningTrials } = recipe;
  if (findDataset(train.name).generated) return { examples: [], unknown: null, tuningTrials };
  try {
    const examples = await trainingExamples(recipe, { env: offline(env) });
    return { examples, unknown: null, tuningTrials };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { path: from, revision } = train;
    const id = from?.startsWith(HUB) ? `${from.slice(HUB.length)}${revision === null ? "" : `@${revision}`}` : null;
    const absent = `data.train.path: ${from} is not in the Hub's cache; viva data get ${id} downloads it`;
    return { examples: [], unknown: id === null ? error.message : absent, tuningTrials };
  }
}

/** How the images of a run are shown in training; as their files say where what was opened belongs to no run. */
export function viewOfRun({ recipe }: Pick<OpenedCheckpoint, "recipe">): ImageView {
  return recipe === null ? {} : viewOf(recipe.data.train);
}

function recipeOf(path: string): Recipe | null {
  const run = runOf(path);
  return run === null ? null : loadRecipe(runPaths(run).recipe).recipe;
}

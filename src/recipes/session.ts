/** Opens what a recipe names: data, processor, engine, rewards. Everything a user can get wrong is found here, before a run exists. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeOptions, opensThought, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import type { ImageLimits, LocalEngineOptions } from "../engine/local/local-core.ts";
import { quantizedBits } from "../engine/local/local-core.ts";
import { type LocalEngine, openLocalEngine } from "../engine/local/local-engine.ts";
import { openModel, openProcessor } from "../models/index.ts";
import { unusedPatterns } from "../models/lora-targets.ts";
import type { ScheduledReward } from "../rewards/index.ts";
import type { SkippedExample } from "../train/batches.ts";
import type { PreferencePair } from "../train/dpo.ts";
import { checkData } from "./check-data.ts";
import { loadEvaluation, loadExamples } from "./examples.ts";
import { hashModel } from "./model-hash.ts";
import { loadPairs } from "./pairs.ts";
import { planRun, type RunMemory, requireMemory } from "./plan-memory.ts";
import type { PreflightReport } from "./preflight.ts";
import { openRewards } from "./reward-services.ts";
import type { Recipe } from "./schema.ts";
import { locateRecipe, type SourceOptions } from "./sources.ts";
import { isPreference, isSupervised, needsOf } from "./stage-kinds.ts";

/** What a run is made of besides its engine. */
export interface RunData {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  readonly train: readonly Example[];
  /** What `evaluate` scores; null when the recipe names no evaluation data. */
  readonly evaluation: readonly Example[] | null;
  /** Left out by data.on_bad_image and data.on_too_long before the run began. */
  readonly skipped: readonly SkippedExample[];
  /** What was found in the data, a report for each set. */
  readonly preflight: readonly PreflightReport[];
  /** What the run's largest step will take. */
  readonly memory: RunMemory;
  /** By stage; empty for stages that sample nothing. */
  readonly rewards: readonly (readonly ScheduledReward[])[];
  /** By stage; empty for stages that read no file of pairs. */
  readonly pairs: readonly (readonly PreferencePair[])[];
  /** Frees what was opened: the rewards, and a session's engine. */
  close(): Promise<void>;
}

/** Everything a run works with. */
export interface Session extends RunData {
  /** The recipe that was opened, with what it takes from the Hub pinned to commits. */
  readonly recipe: Recipe;
  readonly engine: LocalEngine;
  /** Content hashes for the run's recipe.yaml. */
  readonly notes: Readonly<Record<string, string>>;
}

/**
 * Reads and checks the data of a recipe and opens its rewards, without an engine. Downloads what is not here; `o` is told
 * of it. `runFolder` is where the run will be, and need not exist yet.
 */
export async function openData(recipe: Recipe, runFolder: string, o: SourceOptions = {}): Promise<RunData> {
  const { local } = await locateRecipe(recipe, o);
  return openFittingData(local, runFolder);
}

/** The memory that a recipe's largest step will take, whether or not it is there; reads what `openData` reads. */
export async function foretellMemory(recipe: Recipe, runFolder: string, o: SourceOptions = {}): Promise<RunMemory> {
  const { local } = await locateRecipe(recipe, o);
  const data = await openLocalData(local, runFolder);
  await data.close();
  return data.memory;
}

/** Opens all that the recipe names, as `openData` does, and the engine. */
export async function openSession(asked: Recipe, runFolder: string, o: SourceOptions = {}): Promise<Session> {
  const { local: recipe, pinned } = await locateRecipe(asked, o);
  const data = await openFittingData(recipe, runFolder);
  try {
    const engine = await openLocalEngine(engineOptions(recipe), data.processor);
    const close = async () => {
      await engine.close();
      await data.close();
    };
    try {
      return { ...data, recipe: pinned, engine, notes: await hashAll(recipe, data), close };
    } catch (error) {
      await engine.close();
      throw error;
    }
  } catch (error) {
    await data.close();
    throw error;
  }
}

async function openFittingData(recipe: Recipe, runFolder: string): Promise<RunData> {
  const data = await openLocalData(recipe, runFolder);
  try {
    requireMemory(data.memory);
    return data;
  } catch (error) {
    await data.close();
    throw error;
  }
}

/** The data of a recipe whose model and data are folders here. */
async function openLocalData(recipe: Recipe, runFolder: string): Promise<RunData> {
  const { model, data } = recipe;
  requireModelFolder(model);
  const prompt = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  const train = await loadExamples(data.train, recipe);
  if (train.examples.length === 0) throw new UserError(`data.train: "${data.train.name}" has no examples to train on`);
  const evaluation = await loadEvaluation(recipe);
  checkRationales(recipe, prompt, train.examples);
  const pairs = await Promise.all(
    recipe.stages.map((stage) => (isPreference(stage) && stage.pairs !== null ? loadPairs(stage.pairs) : [])),
  );
  const processor = await openProcessor(model.path, imageLimits(recipe));
  checkStops(processor, model.path);
  const thinkOpened = await opensThoughts(processor, prompt);
  const { rewards, close } = await openRewards(recipe, { style: prompt.style, thinkOpened }, runFolder);
  try {
    const loaded = { train, evaluation, pairs, evaluationLength: evaluationLength(recipe) };
    const checked = await checkData(recipe, { processor, prompt, thinkOpened, ...loaded });
    const memory = planRun(recipe, engineOptions(recipe), checked.preflight[0]!);
    return { processor, prompt, rewards, ...checked, memory, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function engineOptions(recipe: Recipe): LocalEngineOptions {
  const { model, engine } = recipe;
  return {
    modelFolder: model.path,
    initialise: model.init,
    seed: recipe.seed,
    freeze: model.freeze,
    lora: model.lora,
    quantizeFrozen: quantizedBits(model.quantize_frozen),
    adapterFolder: null,
    imageLimits: imageLimits(recipe),
    device: engine.device,
    threads: engine.threads === "auto" ? 0 : engine.threads,
    microBatchTokens: engine.micro_batch_tokens,
    activationBytes: engine.activation_memory_gb * 1e9,
    rows: engine.rows,
  };
}

/** Hashes of everything whose content decides a run. */
async function hashAll({ model }: Recipe, data: RunData): Promise<Readonly<Record<string, string>>> {
  const chosen = data.pairs.flat();
  return {
    model_sha256: await hashModel(model.path),
    train_sha256: await hashExamples(data.train),
    ...(chosen.length === 0 ? {} : { pairs_sha256: await hashPairs(chosen) }),
    ...(data.evaluation === null ? {} : { eval_sha256: await hashExamples(data.evaluation) }),
  };
}

/** An answer is taught with the token that ends a turn: sampling must stop there too, or every completion is cut by length. */
function checkStops(processor: Processor, folder: string): void {
  const end = processor.encodeCompletion("").at(-1)!;
  if (processor.stopTokenIds.includes(end)) return;
  throw new UserError(
    `${join(folder, "generation_config.json")}: eos_token_id [${processor.stopTokenIds.join(", ")}] lacks ${end}, which ends the assistant's turn: add it`,
  );
}

/** Long enough for what any stage teaches: the recipe's word, else the longest rollout, else 64 tokens. */
export function evaluationLength(recipe: Recipe): number {
  const lengths = recipe.stages.flatMap((stage) => needsOf(stage).generation?.max_completion_length ?? []);
  return recipe.evaluate?.max_completion_length ?? (lengths.length > 0 ? Math.max(...lengths) : 64);
}

/** The recipe's limits on image size; absent keys leave the model's own. */
export function imageLimits({ image }: Recipe): ImageLimits {
  return {
    ...(image?.min_pixels ? { minPixels: image.min_pixels } : {}),
    ...(image?.max_pixels ? { maxPixels: image.max_pixels } : {}),
  };
}

function requireModelFolder({ path, init, lora, freeze, quantize_frozen }: Recipe["model"]): void {
  if (!existsSync(join(path, "config.json"))) {
    throw new UserError(`model.path: ${path} is not a model folder (no config.json in it)`);
  }
  if (lora && init === "random") {
    throw new UserError(
      "model.lora: adapters need a model with weights; model.init: random would be lost with the run",
    );
  }
  if (quantize_frozen !== null && lora === null) {
    throw new UserError("model.quantize_frozen: integers are not trained; add model.lora, whose adapters are");
  }
  if (lora && freeze.length > 0) {
    throw new UserError("model.freeze: adapters leave the whole model frozen already; leave freeze out beside lora");
  }
  const unused = lora === null ? [] : unusedPatterns(openModel(path), lora);
  if (unused.length > 0) throw new UserError(`model.lora.${unused[0]}: no layer with an adapter matches`);
  const hasWeights = readdirSync(path).some((name) => name.endsWith(".safetensors"));
  if (init === "pretrained" && !hasWeights) {
    throw new UserError(`model.path: ${path} holds no weights; set model.init: random to start from random ones`);
  }
}

/** Whether prompts of this style end in an opened thought, by the chat template or by the style's own prefix. */
async function opensThoughts(processor: Processor, prompt: PromptStyle): Promise<boolean> {
  const probe = [{ role: "user", content: [{ type: "text", text: "?" }] }] as const;
  return opensThought((await processor.encode(probe, encodeOptions(prompt))).text);
}

/** A stage that teaches rationales needs one for every example, and a prompt with a place for them. */
function checkRationales({ stages }: Recipe, { style }: PromptStyle, train: readonly Example[]): void {
  for (const [i, stage] of stages.entries()) {
    if (!isSupervised(stage) || stage.target === "answer") continue;
    const key = `stages.${i}.target: rationale_answer`;
    if (style === "answer_only") {
      throw new UserError(`${key} has no place in the prompt's style answer_only; use think_answer or plain`);
    }
    const without = train.filter(({ rationale = "" }) => rationale.trim() === "");
    if (without.length === 0) continue;
    throw new UserError(
      `${key} needs a rationale for each example of data.train, and ${without.length} of ${train.length} have none ("${without[0]!.id}" first); set target: answer or use data with rationales`,
    );
  }
}

async function hashPairs(pairs: readonly PreferencePair[]): Promise<string> {
  const hash = createHash("sha256").update(await hashExamples(pairs.map(({ example }) => example)));
  return hash.update(JSON.stringify(pairs.map(({ chosen, rejected }) => [chosen, rejected]))).digest("hex");
}

/** SHA-256 over what examples ask and answer and over the content of their images. */
async function hashExamples(examples: readonly Example[]): Promise<string> {
  const hash = createHash("sha256");
  const seen = new Set<string>();
  for (const { id, question, answer, choices, rationale, images } of examples) {
    hash.update(JSON.stringify([id, question, answer, choices, rationale, images.map(({ path }) => path)]));
    for (const { path, pixels } of images) {
      if (seen.has(path)) continue;
      seen.add(path);
      hash.update(pixels === undefined ? await readFile(path) : pixels.data);
    }
  }
  return hash.digest("hex");
}

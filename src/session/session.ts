import { encodeOptions, opensThought, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { type Copies, copiedImages, type Overlap, overlapOf } from "../data/index.ts";
import { type EngineInspection, type EngineOptions, quantizedBits } from "../engine/backend.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { engines } from "../engine/index.ts";
import { companionFolder } from "../models/companions.ts";
import { openProcessor } from "../models/index.ts";
import { viewOf } from "../recipes/datasets.ts";
import type { Recipe } from "../recipes/schema.ts";
import { evaluationLength, isPreference, isWarmUp, needsOf } from "../recipes/stage-kinds.ts";
import type { ScheduledReward } from "../rewards/index.ts";
import type { SkippedExample } from "../train/batches.ts";
import type { PreferencePair } from "../train/pair-sources.ts";
import { checkData } from "./check-data.ts";
import { checkBaselines, checkRationales, requireModelFolder } from "./checks.ts";
import { hashExamples, hashModel, hashPairs } from "./content-hashes.ts";
import { demandsOf } from "./engine-demands.ts";
import { loadEvaluation, loadExamples } from "./examples.ts";
import { loadPairs, usablePairs } from "./pairs.ts";
import type { PreflightReport } from "./preflight.ts";
import { imageLimits, serverOf, tellExcess, tellNotices, threadsHere } from "./recipe-options.ts";
import { type LocatedRecipe, locateRecipe } from "./recipe-sources.ts";
import { openRewards } from "./reward-services.ts";
import { availableBytes, planRun, type RunMemory, requireMemory } from "./run-memory.ts";
import { isMistake, refuseOverlap } from "./shared-subjects.ts";
import { type SourceOptions, telling } from "./sources.ts";
import { longestPrompt, openRunTools, type RunTools } from "./stage-tools.ts";

/** What a run is made of besides its engine. */
export interface RunData {
  /** The recipe that was opened, with what it takes from the Hub pinned to commits. */
  readonly recipe: Recipe;
  /** Its model and data as folders here. */
  readonly located: LocatedRecipe;
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  readonly train: readonly Example[];
  /** What `evaluate` scores; null when the recipe names no evaluation data. */
  readonly evaluation: readonly Example[] | null;
  /** Left out by data.on_bad_image and data.on_too_long before the run began. */
  readonly skipped: readonly SkippedExample[];
  /** What was found in the data, a report for each set. */
  readonly preflight: readonly PreflightReport[];
  /** What the evaluation data share with the training data; null for nothing. */
  readonly overlap: Overlap | null;
  /** Evaluation images that are training images under another name. */
  readonly copies: Copies;
  /** What the run's largest step will take of this machine; null where the engine computes elsewhere. */
  readonly memory: RunMemory | null;
  /** By stage; empty for stages that sample nothing. */
  readonly rewards: readonly (readonly ScheduledReward[])[];
  /** What completions can do between their turns, by stage and in evaluations. */
  readonly tools: RunTools;
  /** By stage; empty for stages that read no file of pairs. */
  readonly pairs: readonly (readonly PreferencePair[])[];
  /** By stage, whose images it looks at; empty for stages that look at those of the training data. */
  readonly images: readonly (readonly Example[])[];
  /** Frees what was opened: the rewards, the tools, and a session's engine. */
  close(): Promise<void>;
}

/** Everything a run works with. */
export interface Session extends RunData {
  readonly engine: TrainingEngine;
  /** Content hashes for the run's recipe.yaml. */
  readonly notes: Readonly<Record<string, string>>;
}

/**
 * Reads and checks the data of a recipe, opens its rewards and plans its memory, whether or not that is there. Downloads
 * what is not here; `o` is told of it. `runFolder` is where the run will be, and need not exist yet.
 */
export async function openData(asked: Recipe, runFolder: string, o: SourceOptions = {}): Promise<RunData> {
  const located = await locateRecipe(asked, o);
  return { ...(await openLocalData(located, runFolder, o)), recipe: located.pinned, located };
}

export interface EngineSource extends SourceOptions {
  /** Called when all is checked that needs no engine, with the content's hashes; what it resolves to ends with the session. */
  readonly beforeEngine?: (notes: Session["notes"]) => Promise<(() => Promise<void>) | null>;
}

/** Opens the engine on opened data, which stays open where that fails. UserError where the memory is not there, or data are shared. */
export async function openEngine(data: RunData, o: EngineSource = {}): Promise<Session> {
  const { local } = data.located;
  if (data.overlap !== null && isMistake(local)) refuseOverlap(data.overlap, "data.eval", "data.allow_overlap: true");
  if (data.memory !== null) requireMemory(data.memory);
  const backend = engines[local.engine.backend];
  const what = local.model.quantize_frozen === null ? "reading weights" : "quantising weights";
  const options = engineOptions(data.located);
  const demands = await demandsOf(local, data);
  const notes = await hashAll(data.located, data, o);
  const end = await o.beforeEngine?.(notes);
  try {
    const engine = await backend.open(options, data.processor, demands, telling(what, o));
    const close = async () => {
      await engine.close().finally(end);
      await data.close();
    };
    return { ...data, engine, notes, close };
  } catch (error) {
    await end?.();
    throw error;
  }
}

/** Opens all that the recipe names, as `openData` does, and the engine. */
export async function openSession(asked: Recipe, runFolder: string, o: EngineSource = {}): Promise<Session> {
  const data = await openData(asked, runFolder, o);
  try {
    return await openEngine(data, o);
  } catch (error) {
    await data.close();
    throw error;
  }
}

/** The data of a recipe whose model and data are folders here. */
async function openLocalData(
  located: LocatedRecipe,
  runFolder: string,
  o: SourceOptions,
): Promise<Omit<RunData, "recipe" | "located">> {
  const { local: recipe, adapter } = located;
  const { model, data } = recipe;
  requireModelFolder(recipe, adapter);
  const prompt = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  const train = await loadExamples(data.train, recipe);
  if (train.examples.length === 0) throw new UserError(`data.train: "${data.train.name}" has no examples to train on`);
  const evaluation = await loadEvaluation(recipe);
  checkBaselines(recipe, evaluation.examples);
  checkRationales(recipe, prompt, train.examples);
  const view = viewOf(data.train);
  const usable = await Promise.all(
    recipe.stages.map(async (stage) => {
      if (!isPreference(stage) || stage.pairs === null) return { pairs: [], skipped: [] };
      return usablePairs(stage, await loadPairs(stage.pairs, { view }));
    }),
  );
  const pairs = usable.map((own) => own.pairs);
  const images = await Promise.all(
    recipe.stages.map(async (stage) => {
      return isWarmUp(stage) && stage.images !== null ? (await loadExamples(stage.images, recipe)).examples : [];
    }),
  );
  const files = companionFolder(adapter?.folder ?? model.path, model.path);
  const processor = await openProcessor(model.path, imageLimits(recipe), files);
  tellNotices(processor, o);
  const thinkOpened = await opensThoughts(processor, prompt);
  const trainTargets = train.examples.flatMap(({ target }) => target ?? []);
  const opened = await openRewards(recipe, { style: prompt.style, thinkOpened, trainTargets }, runFolder);
  const { rewards } = opened;
  const tools = await openRunTools(recipe, prompt);
  const close = async () => {
    await tools.close();
    await opened.close();
  };
  try {
    const loaded = { train, evaluation, pairs, evaluationLength: evaluationLength(recipe) };
    const checked = await checkData(recipe, {
      processor,
      prompt: longestPrompt(prompt, tools),
      thinkOpened,
      ...loaded,
    });
    tellExcess(recipe, checked.train.length, o);
    const [preflight] = checked.preflight;
    const memory = await memoryOf(recipe, engineOptions(located), preflight!, opened.modelBytes);
    const seen = [...checked.train, ...checked.pairs.flat().map(({ example }) => example), ...images.flat()];
    const asked = checked.evaluation ?? [];
    const copies = await copiedImages(seen, asked, telling("comparing images", o));
    const overlap = overlapOf(seen, asked, copies);
    const skipped = [...checked.skipped, ...usable.flatMap((own) => own.skipped)];
    return { processor, prompt, rewards, tools, ...checked, skipped, images, overlap, copies, memory, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function memoryOf(
  recipe: Recipe,
  options: EngineOptions,
  data: PreflightReport,
  rewardModels: number,
): Promise<RunMemory | null> {
  const { planMemory, deviceBytes } = engines[recipe.engine.backend];
  if (planMemory === undefined) return null;
  const told = (await deviceBytes?.(options.device ?? "cpu")) ?? null;
  return planRun(recipe, planMemory, options, data, { available: availableBytes(), deviceBytes: told, rewardModels });
}

/** What a server that computes in this machine's place does; null where the engine is here. Opens no engine. */
export async function inspectEngine({ located, ...data }: RunData): Promise<EngineInspection | null> {
  const { inspect } = engines[located.local.engine.backend];
  if (inspect === undefined) return null;
  return inspect(engineOptions(located), data.processor, await demandsOf(located.local, data));
}

function engineOptions({ local: recipe, adapter }: LocatedRecipe): EngineOptions {
  const { model, engine } = recipe;
  const { lora } = model;
  return {
    modelFolder: model.path,
    initialise: model.init,
    seed: recipe.seed,
    freeze: model.freeze,
    lora: adapter === null ? lora : { ...adapter, ...(lora === null ? {} : { lora_dropout: lora.lora_dropout }) },
    scoreHead: adapter?.scoreHead === true || recipe.stages.some((stage) => needsOf(stage).scoreHead),
    quantizeFrozen: quantizedBits(model.quantize_frozen),
    adapterFolder: adapter?.folder ?? null,
    imageLimits: imageLimits(recipe),
    server: serverOf(engine),
    device: engine.device,
    threads: threadsHere(engine.threads),
    microBatchTokens: engine.micro_batch_tokens,
    activationBytes: engine.activation_memory_gb * 1e9,
    rows: engine.rows,
  };
}

/** Hashes of everything whose content decides a run. */
async function hashAll(
  { local: { model }, adapter }: LocatedRecipe,
  data: RunData,
  o: SourceOptions,
): Promise<Readonly<Record<string, string>>> {
  const hashes = data.pairs.map(async (pairs, i) => {
    return pairs.length === 0 ? [] : [[`stage_${i}_pairs_sha256`, await hashPairs(pairs)] as const];
  });
  const looked = data.images.map(async (images, i) => {
    return images.length === 0 ? [] : [[`stage_${i}_images_sha256`, await hashExamples(images)] as const];
  });
  const models = data.rewards.flatMap((rewards, i) => {
    return rewards.map(async ({ reward: { name, folder } }) => {
      return folder === undefined ? [] : [[`stage_${i}_${name}_sha256`, await hashModel(folder)] as const];
    });
  });
  return {
    model_sha256: await hashModel(model.path),
    ...(adapter === null ? {} : { adapter_sha256: await hashModel(adapter.folder) }),
    train_sha256: await hashExamples(data.train, telling("hashing training images", o)),
    ...Object.fromEntries((await Promise.all([...hashes, ...looked, ...models])).flat()),
    ...(data.evaluation === null
      ? {}
      : { eval_sha256: await hashExamples(data.evaluation, telling("hashing evaluation images", o)) }),
  };
}

/** Whether prompts of this style end in an opened thought, by the chat template or by the style's own prefix. */
export async function opensThoughts(processor: Processor, prompt: PromptStyle): Promise<boolean> {
  const probe = [{ role: "user", content: [{ type: "text", text: "?" }] }] as const;
  return opensThought((await processor.encode(probe, encodeOptions(prompt))).text);
}

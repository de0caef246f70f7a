/** Opens what a recipe names: data, processor, engine, rewards. Everything a user can get wrong is found here, before a run exists. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeOptions, encodeQuestion, opensThought, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import type { ImageLimits } from "../engine/local/local-core.ts";
import { type LocalEngine, openLocalEngine } from "../engine/local/local-engine.ts";
import { openProcessor } from "../models/index.ts";
import { buildRewards, type WeightedReward } from "../rewards/index.ts";
import type { SkippedExample } from "../train/batches.ts";
import type { PreferencePair } from "../train/dpo.ts";
import { loadEvaluation, loadExamples } from "./examples.ts";
import { loadPairs } from "./pairs.ts";
import type { Recipe } from "./schema.ts";
import { locateRecipe, type SourceOptions } from "./sources.ts";
import { isPreference, isSupervised, needsOf } from "./stage-kinds.ts";

/** Everything a run works with. */
export interface Session {
  /** The recipe that was opened, with what it takes from the Hub pinned to commits. */
  readonly recipe: Recipe;
  readonly engine: LocalEngine;
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  readonly train: readonly Example[];
  /** What `evaluate` scores; null when the recipe names no evaluation data. */
  readonly evaluation: readonly Example[] | null;
  /** Left out by data.on_bad_image before the run began. */
  readonly skipped: readonly SkippedExample[];
  /** By stage; empty for stages that sample nothing. */
  readonly rewards: readonly (readonly WeightedReward[])[];
  /** By stage; empty for stages that read no file of pairs. */
  readonly pairs: readonly (readonly PreferencePair[])[];
  /** Content hashes for the run's recipe.yaml. */
  readonly notes: Readonly<Record<string, string>>;
}

/** Downloads what is not here; `o` is told of it. */
export async function openSession(asked: Recipe, o: SourceOptions = {}): Promise<Session> {
  const { local: recipe, pinned } = await locateRecipe(asked, o);
  const { model, data } = recipe;
  requireModelFolder(model);
  const prompt = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  const { examples: train, skipped: missing } = await loadExamples(data.train, recipe);
  if (train.length === 0) throw new UserError(`data.train: "${data.train.name}" has no examples to train on`);
  const { examples: evaluation, skipped: unreadable } = await loadEvaluation(recipe);
  checkRationales(recipe, prompt, train);
  const pairs = await Promise.all(
    recipe.stages.map((stage) => (isPreference(stage) && stage.pairs !== null ? loadPairs(stage.pairs) : [])),
  );
  const limits = imageLimits(recipe);
  const processor = await openProcessor(model.path, limits);
  const rewards = buildAllRewards(recipe, prompt, await opensThoughts(processor, prompt));
  const promptTokens = await longestPrompt(train, processor, prompt, data.on_bad_image);
  const engine = await openLocalEngine(
    {
      modelFolder: model.path,
      initialise: model.init,
      seed: recipe.seed,
      freeze: model.freeze,
      lora: model.lora,
      adapterFolder: null,
      imageLimits: limits,
      device: recipe.engine.device,
      threads: recipe.engine.threads === "auto" ? 0 : recipe.engine.threads,
      microBatchTokens: recipe.engine.micro_batch_tokens,
      rows: recipe.engine.rows,
    },
    processor,
  );
  try {
    checkContext(recipe, promptTokens, engine.contextLength);
    const chosen = pairs.flat();
    const notes = {
      model_sha256: await hashModel(model.path),
      train_sha256: await hashExamples(train),
      ...(chosen.length === 0 ? {} : { pairs_sha256: await hashPairs(chosen) }),
      ...(evaluation === null ? {} : { eval_sha256: await hashExamples(evaluation) }),
    };
    const skipped = [...missing, ...unreadable];
    return { recipe: pinned, engine, processor, prompt, train, evaluation, skipped, rewards, pairs, notes };
  } catch (error) {
    await engine.close();
    throw error;
  }
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

function requireModelFolder({ path, init, lora, freeze }: Recipe["model"]): void {
  if (!existsSync(join(path, "config.json"))) {
    throw new UserError(`model.path: ${path} is not a model folder (no config.json in it)`);
  }
  if (lora && init === "random") {
    throw new UserError(
      "model.lora: adapters need a model with weights; model.init: random would be lost with the run",
    );
  }
  if (lora && freeze.length > 0) {
    throw new UserError("model.freeze: adapters leave the whole model frozen already; leave freeze out beside lora");
  }
  const hasWeights = readdirSync(path).some((name) => name.endsWith(".safetensors"));
  if (init === "pretrained" && !hasWeights) {
    throw new UserError(`model.path: ${path} holds no weights; set model.init: random to start from random ones`);
  }
}

/** Tokens of the prompt with the longest question; also shows at once whether images can be read at all. */
async function longestPrompt(
  examples: readonly Example[],
  processor: Processor,
  prompt: PromptStyle,
  onBadImage: "error" | "skip",
): Promise<number> {
  const size = (example: Example) => example.question.length + example.choices.join("").length;
  const longest = examples.reduce((a, b) => (size(b) > size(a) ? b : a));
  try {
    return (await encodeQuestion(processor, longest, prompt)).tokenIds.length;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (onBadImage === "skip") return 0;
    throw new UserError(`example "${longest.id}": ${error.message}`, { cause: error });
  }
}

function checkContext(recipe: Recipe, promptTokens: number, contextLength: number): void {
  const check = (key: string, completion: number) => {
    if (promptTokens + completion <= contextLength) return;
    throw new UserError(
      `${key}: a prompt of ${promptTokens} tokens and a completion of ${completion} do not fit the model's context of ${contextLength} tokens`,
    );
  };
  for (const [i, stage] of recipe.stages.entries()) {
    check(`stages.${i}.max_completion_length`, needsOf(stage).generation?.max_completion_length ?? 0);
  }
  if (recipe.evaluate !== null && recipe.data.eval !== null)
    check("evaluate.max_completion_length", evaluationLength(recipe));
}

/** Every stage's rewards, told what the run knows; empty where a stage samples nothing. */
function buildAllRewards({ stages }: Recipe, { style }: PromptStyle, thinkOpened: boolean): WeightedReward[][] {
  return stages.map((stage) => {
    const { generation } = needsOf(stage);
    if (generation === null) return [];
    const context = { style, thinkOpened, maxCompletionLength: generation.max_completion_length };
    return [...buildRewards(generation.rewards, context)];
  });
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

/** SHA-256 over a model folder's files, by name. */
async function hashModel(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    if (!/\.(json|jinja|safetensors|txt)$/.test(name)) continue;
    hash.update(`${name}\n`);
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
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

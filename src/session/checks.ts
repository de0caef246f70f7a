/** What a recipe asks that its model and data cannot give, found before a run exists. */
import { readdirSync } from "node:fs";
import type { PromptStyle } from "../answers/prompts.ts";
import { refuseTags } from "../answers/tags-in-data.ts";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { refusesAdapters, refusesDevice, SOFT_NEEDS } from "../engine/engine.ts";
import { engines } from "../engine/index.ts";
import { keepsArrays } from "../engine/local/arrays/index.ts";
import { openModel } from "../models/index.ts";
import { adapterLayers, type LoraOptions, requireUsed } from "../models/lora-targets.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isSoftQ, isSupervised } from "../recipes/stage-kinds.ts";
import type { StartAdapter } from "./recipe-sources.ts";

/**
 * Throws UserError unless the folder of the model is one that its other keys can be applied to; `adapter` is what it starts
 * from. Weights need not be here where the engine is elsewhere.
 */
export function requireModelFolder(
  { model, engine, stages }: Pick<Recipe, "model" | "engine" | "stages">,
  adapter: StartAdapter | null,
): void {
  const { path, init, lora, freeze, quantize_frozen } = model;
  const key = adapter === null ? "model.lora" : "model.path";
  if ((lora !== null || adapter !== null) && init === "random") {
    throw new UserError(`${key}: adapters need a model with weights; model.init: random would be lost with the run`);
  }
  if (quantize_frozen !== null && lora === null && adapter === null) {
    throw new UserError("model.quantize_frozen: integers are not trained; add model.lora, whose adapters are");
  }
  if ((lora !== null || adapter !== null) && freeze.some((pattern) => pattern !== "lora_A")) {
    throw new UserError(
      "model.freeze: adapters leave the whole model frozen already; beside them it may name lora_A alone, their first matrices",
    );
  }
  const masked = stages.findIndex(({ importance_masking }) => importance_masking !== "none");
  if ((lora !== null || adapter !== null) && masked >= 0) {
    throw new UserError(`stages.${masked}.${refusesAdapters(stages[masked]!.importance_masking)}`);
  }
  if (masked >= 0 && keepsArrays(engine.device)) {
    throw new UserError(`stages.${masked}.${refusesDevice(stages[masked]!.importance_masking, engine.device)}`);
  }
  const soft = stages.findIndex(isSoftQ);
  const dropout = (adapter === null ? lora?.lora_dropout : adapter.lora_dropout) ?? 0;
  if (soft >= 0 && ((lora === null && adapter === null) || dropout > 0)) {
    throw new UserError(`stages.${soft}.kind: ${SOFT_NEEDS}`);
  }
  if (lora !== null && adapter === null) requireUsed(openModel(path), lora);
  if (lora !== null && adapter !== null) requireSameAdapters(path, lora, adapter);
  if (engines[engine.backend].remote) return;
  const hasWeights = readdirSync(path).some((name) => name.endsWith(".safetensors"));
  if (init === "pretrained" && !hasWeights) {
    throw new UserError(`model.path: ${path} holds no weights; set model.init: random to start from random ones`);
  }
}

/** Training goes on with an adapter as it is: model.lora beside it may say the same, and the share that is dropped. */
function requireSameAdapters(path: string, lora: LoraOptions, adapter: StartAdapter): void {
  const model = openModel(path);
  const [asked, own] = [adapterLayers(model, lora), adapterLayers(model, adapter)];
  const isSame = ([layer, { rank, scaling }]: readonly [string, { readonly rank: number; readonly scaling: number }]) =>
    asked.get(layer)?.rank === rank && asked.get(layer)?.scaling === scaling;
  if (asked.size === own.size && [...own].every(isSame)) return;
  throw new UserError(
    `model.lora: other layers, ranks or scales than those of the adapter ${adapter.folder}, which training goes on with; leave model.lora out, or name a model without an adapter`,
  );
}

/** A stage that teaches rationales needs one for every example, and a prompt with a place for them. */
export function checkRationales({ stages }: Recipe, { style }: PromptStyle, train: readonly Example[]): void {
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

/** Baselines that take images away need some. */
export function checkBaselines({ evaluate }: Recipe, examples: readonly Example[] | null): void {
  if ((evaluate?.baselines ?? []).length === 0 || examples === null) return;
  if (examples.some(({ images }) => images.length > 0)) return;
  throw new UserError(`evaluate.baselines: ${evaluate!.baselines.join(", ")}: no question of data.eval has an image`);
}

/** Throws UserError where an example's answer holds the tags of the prompt's form: no answer given in that form would be equal. */
export function requireNoTags(examples: readonly Example[], style: PromptStyle["style"]): void {
  for (const example of examples) {
    try {
      refuseTags(example, style);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`example "${example.id}": ${error.message}`, { cause: error });
    }
  }
}

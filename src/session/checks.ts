/** What a recipe asks that its model and data cannot give, found before a run exists. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { PromptStyle } from "../answers/prompts.ts";
import { refuseTags } from "../answers/tags-in-data.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { openModel } from "../models/index.ts";
import { unusedPatterns } from "../models/lora-targets.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isSupervised } from "../recipes/stage-kinds.ts";

/** Throws UserError unless `model` names a folder that its other keys can be applied to. */
export function requireModelFolder({ path, init, lora, freeze, quantize_frozen }: Recipe["model"]): void {
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

/** An answer is taught with the token that ends a turn: sampling must stop there too, or every completion is cut by length. */
export function checkStops(processor: Processor, folder: string): void {
  const end = processor.encodeCompletion("").at(-1)!;
  if (processor.stopTokenIds.includes(end)) return;
  throw new UserError(
    `${join(folder, "generation_config.json")}: eos_token_id [${processor.stopTokenIds.join(", ")}] lacks ${end}, which ends the assistant's turn: add it`,
  );
}

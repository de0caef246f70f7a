/** The model that a local engine's options describe, and its trained weights. */

import { openModel } from "../../models/index.ts";
import { isAdapterWeight, withLora } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { withQuantizedBase } from "../../models/quantize.ts";
import { withScoreHead } from "../../models/score-head.ts";
import type { EngineOptions } from "../backend.ts";
import { trainableNames } from "./weight-store.ts";

/** The model that a local engine runs: its base, quantised if asked for, with adapters if the options name them. */
export function modelOf(o: EngineOptions): Model {
  return extended(baseOf(o), o);
}

/** A base model with the adapters and the head of these options. */
export function extended(base: Model, { lora, scoreHead }: Pick<EngineOptions, "lora" | "scoreHead">): Model {
  const adapted = lora ? withLora(base, lora) : base;
  return scoreHead ? withScoreHead(adapted) : adapted;
}

/** The base model without adapters. */
export function baseOf({ modelFolder, quantizeFrozen = null }: EngineOptions): Model {
  const whole = openModel(modelFolder);
  return quantizeFrozen === null ? whole : withQuantizedBase(whole, quantizeFrozen);
}

/** Names of the weights that are trained. */
export function trainableOf(model: Model, { lora, freeze }: EngineOptions): ReadonlySet<string> {
  if (!lora) return trainableNames(model, freeze);
  const isFrozen = (name: string) => freeze.some((pattern) => name.includes(pattern));
  const isTrained = (name: string) => isAdapterWeight(name) || name === model.scoreHead;
  return new Set(Object.keys(model.weights).filter((name) => isTrained(name) && !isFrozen(name)));
}

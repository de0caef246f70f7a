/** The model that a local engine's options describe, and its trained weights. */

import { openModel } from "../../models/index.ts";
import { isAdapterWeight, withLora } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { withQuantizedBase } from "../../models/quantize.ts";
import type { EngineOptions } from "../backend.ts";
import { trainableNames } from "./weight-store.ts";

/** The model that a local engine runs: its base, quantised if asked for, with adapters if the options name them. */
export function modelOf(o: EngineOptions): Model {
  const base = baseOf(o);
  return o.lora ? withLora(base, o.lora) : base;
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
  return new Set(Object.keys(model.weights).filter((name) => isAdapterWeight(name) && !isFrozen(name)));
}

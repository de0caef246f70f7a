/** A checkpoint's weights under a model's own names, checked as a whole and read one at a time. */
import { UserError } from "../core/errors.ts";
import { openWeights } from "../io/weights.ts";
import type { Model } from "./model.ts";

export interface StoredWeights {
  /** The values of a weight of the model, row-major. */
  read(name: string): Float32Array;
  close(): void;
}

/** Opens a folder's weights; missing, unexpected and misshapen ones are one clear error. */
export function openStoredWeights(model: Model, folder: string): StoredWeights {
  const weights = openWeights(folder);
  try {
    const stored = new Map<string, string>();
    for (const name of weights.names) {
      const canonical = model.canonicalName(name);
      if (canonical !== null) stored.set(canonical, name);
    }
    const unexpected = [...stored].filter(([name]) => !Object.hasOwn(model.weights, name)).map(([, name]) => name);
    const missing = Object.keys(model.weights).filter((name) => !stored.has(name));
    if (missing.length > 0) throw new UserError(`${folder}: ${listed(missing)} missing from the checkpoint's weights`);
    if (unexpected.length > 0) throw new UserError(`${folder}: ${listed(unexpected)} not known to ${model.modelType}`);
    for (const [name, { shape }] of Object.entries(model.weights)) {
      const own = stored.get(name)!;
      const found = weights.info(own).shape;
      if (found.join() !== shape.join()) {
        throw new UserError(`${folder}: weight ${own} has shape [${found}], config.json asks for [${shape}]`);
      }
    }
    return { read: (name) => weights.readFloat32(stored.get(name)!), close: () => weights.close() };
  } catch (error) {
    weights.close();
    throw error;
  }
}

function listed(names: readonly string[]): string {
  const rest = names.length - 3;
  return `${names.slice(0, 3).join(", ")}${rest > 0 ? ` and ${rest} more are` : names.length > 1 ? " are" : " is"}`;
}

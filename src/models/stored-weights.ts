/** A checkpoint's weights under a model's own names, checked as a whole and read one at a time. */
import { UserError } from "../core/errors.ts";
import { requireFinite } from "../io/finite.ts";
import { openWeights, type Weights } from "../io/weights.ts";
import type { Model } from "./model.ts";

export interface StoredWeights {
  /** The values of a weight of the model, row-major. RunError where one of them is not finite. */
  read(name: string): Float32Array;
  close(): void;
}

/** Opens a folder's weights; missing, unexpected and misshapen ones, and unequal copies of one, are one clear error. */
export function openStoredWeights(model: Model, folder: string): StoredWeights {
  const weights = openWeights(folder);
  try {
    const stored = new Map<string, string>();
    for (const name of weights.names) {
      const canonical = model.canonicalName(name);
      const other = stored.get(canonical);
      if (other === undefined) stored.set(canonical, name);
      else requireEqual(weights, other, name);
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
    return {
      read: (name) => {
        const own = stored.get(name)!;
        return requireFinite(weights.readFloat32(own), own, weights.fileOf(own));
      },
      close: () => weights.close(),
    };
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** Numbers compared at a time. */
const PART = 1 << 22;

/** Two tensors that stand for one weight, as the embedding and its head where they are tied, must be the same numbers. */
function requireEqual(weights: Weights, one: string, other: string): void {
  const { shape } = weights.info(one);
  const [rows = 1, ...rest] = shape;
  const isAlike = shape.join() === weights.info(other).shape.join();
  const step = Math.max(1, Math.floor(PART / rest.reduce((size, n) => size * n, 1)));
  let from = 0;
  while (isAlike && from < rows) {
    const to = Math.min(rows, from + step);
    const [a, b] = [weights.readRows(one, from, to), weights.readRows(other, from, to)];
    if (!a.every((value, i) => Object.is(value, b[i]) || value === b[i])) break;
    from = to;
  }
  if (isAlike && from >= rows) return;
  throw new UserError(
    `${weights.fileOf(other)}: "${other}" differs from "${one}", though config.json makes them one weight: set tie_word_embeddings: false there if the model has a head of its own, else take "${other}" out of the file`,
  );
}

function listed(names: readonly string[]): string {
  const rest = names.length - 3;
  return `${names.slice(0, 3).join(", ")}${rest > 0 ? ` and ${rest} more are` : names.length > 1 ? " are" : " is"}`;
}

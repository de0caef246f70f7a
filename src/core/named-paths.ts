/** Names that stand where a path may: models and recipes that ship with viva, and what is written as an id of the Hub. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { editDistance, nearest } from "./suggest.ts";

/** What a name on the Hub begins with: `hf:org/name`. Nothing else is asked for there. */
export const HUB = "hf:";

const installed = fileURLToPath(new URL("../..", import.meta.url));
const assets = join(installed, "assets");

/** Names of the models that ship. */
export function shippedModels(): readonly string[] {
  return readdirSync(assets).filter((name) => existsSync(join(assets, name, "config.json")));
}

/** The folder of a model that ships, wherever viva is installed; null for any other name. */
export function shippedModel(name: string): string | null {
  return shippedModels().includes(name) ? join(assets, name) : null;
}

/** The file itself; where there is none, that of this name that ships, as `recipes/demo-grpo.yaml`, wherever viva is installed. */
export function hereOrShipped(file: string): string {
  const shipped = join(installed, file);
  return !existsSync(file) && /^(recipes|studies)[\\/]/.test(file) && existsSync(shipped) ? shipped : file;
}

/** What may have been meant by a path at which nothing is: a neighbour of nearly that name, a model that ships, an id of the Hub. */
export function pathAdvice(path: string, o: { readonly model: boolean }): string {
  // Recipes count paths from their own folder, so that ~ may stand in the middle.
  const home = path.split(/[\\/]/).indexOf("~");
  if (home >= 0) {
    const below = path.split(/[\\/]/).slice(home + 1);
    return `; ~ means home to a shell only: write ${join(homedir(), ...below)}`;
  }
  const folder = dirname(path);
  const beside = readable(folder).filter((name) => !name.startsWith("."));
  const name = basename(path);
  const near = nearest(name, [...beside, ...(o.model && folder === "." ? shippedModels() : [])]);
  // Folders hold names of all kinds, so that only a slip of a key or two counts.
  if (near !== null && editDistance(name, near) <= Math.max(1, name.length / 5)) {
    return `; did you mean ${folder === "." && !path.startsWith(".") ? near : join(folder, near)}?`;
  }
  const isLikeId = /^[\w.-]+\/[\w.-]+(@\S+)?$/.test(path) && !/^\.{1,2}\//.test(path);
  return isLikeId && !existsSync(folder) ? `; on the Hub it would be ${HUB}${path}` : "";
}

function readable(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

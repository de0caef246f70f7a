/** Sizes of a config.json that no real model has: refused before anything is counted, listed or allocated by them. */
import { UserError } from "../core/errors.ts";

const MAX_LAYERS = 1000;
const MAX_SIZE = 2 ** 24;

/** Checks every number of the file by the end of its key, at any depth; throws UserError naming file and key. */
export function checkConfigSizes(config: object, source: string): void {
  const open: (readonly [string, unknown])[] = Object.entries(config);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [key, value] = next;
    if (typeof value === "object" && value !== null) {
      for (const [inner, held] of Object.entries(value))
        open.push([Array.isArray(value) ? key : `${key}.${inner}`, held]);
    }
    if (typeof value !== "number") continue;
    const isCount = /(layers|depth|blocks)$/.test(key);
    const most = isCount
      ? MAX_LAYERS
      : /(size|dim|heads|channels|ratio|factor|section)$/.test(key)
        ? MAX_SIZE
        : Infinity;
    if (value > most) throw new UserError(`${source}: ${key} is ${value}; more than ${most} is not believed`);
  }
}

/** `--set a.b=value`: changes one key of a recipe before validation. */
import { parseDocument } from "yaml";
import { UserError } from "../core/errors.ts";
import { type KeyPath, spell } from "./problems.ts";

/** One parsed `--set`. */
export interface Override {
  /** As the user wrote it. */
  readonly text: string;
  readonly path: KeyPath;
  readonly value: unknown;
}

/** Parses "stages.0.steps=10": the value is YAML, a number in the path is a list index. */
export function parseOverride(text: string): Override {
  const equals = text.indexOf("=");
  const parts = text.slice(0, Math.max(0, equals)).split(".");
  if (equals < 0 || parts.some((part) => part.trim() === "" || part === "__proto__")) {
    throw new UserError(`--set ${text}: expected key=value, such as stages.0.steps=10`);
  }
  const document = parseDocument(text.slice(equals + 1), { prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) throw new UserError(`--set ${text}: the value is not valid YAML: ${error.message}`);
  const path = parts.map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : part.trim()));
  return { text, path, value: document.toJS() };
}

/** The override of a key by a value that is at hand. */
export function overrideOf(key: string, value: unknown): Override {
  return { ...parseOverride(`${key}=`), text: key, value };
}

/** A copy of the recipe with the value set; missing or null parent mappings are created. */
export function applyOverride(recipe: unknown, { text, path, value }: Override, depth = 0): unknown {
  if (depth === path.length) return value;
  const part = path[depth]!;
  const below = (inner: unknown) => applyOverride(inner, { text, path, value }, depth + 1);
  const here = spell(path.slice(0, depth));
  if (Array.isArray(recipe)) {
    const appends = part === recipe.length && depth === path.length - 1;
    if (typeof part !== "number" || (part >= recipe.length && !appends)) {
      const valid = recipe.length === 0 ? "it is empty" : `its entries are 0 to ${recipe.length - 1}`;
      throw new UserError(`--set ${text}: ${here} is a list and has no ${String(part)}; ${valid}`);
    }
    return recipe.toSpliced(part, 1, below(recipe[part]));
  }
  if (typeof recipe === "object" && recipe !== null) {
    const inner = Object.hasOwn(recipe, part) ? (recipe as Record<PropertyKey, unknown>)[part] : undefined;
    return { ...recipe, [part]: below(inner) };
  }
  if (recipe === undefined || recipe === null) return { [part]: below(undefined) };
  throw new UserError(`--set ${text}: ${here} is ${JSON.stringify(recipe)} and has no key ${String(part)}`);
}

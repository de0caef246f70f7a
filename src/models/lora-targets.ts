/** Which layers get adapters, of which rank and scale: PEFT's rules for LoraConfig (tuners_utils.py of PEFT 0.21). */

import { UserError } from "../core/errors.ts";
import { nearest } from "../core/suggest.ts";
import { createTimeLimit } from "../io/time-limit.ts";
import type { AdapterLayer, Model } from "./model.ts";
import { endMatch, fullMatch, numberedMatch } from "./python-pattern.ts";

/** Named as PEFT's LoraConfig names them; what is absent or null has PEFT's default. */
export interface LoraOptions {
  readonly r: number;
  readonly lora_alpha: number;
  /** Applies in training only. */
  readonly lora_dropout?: number;
  /** Module names or their ends; a string is a regular expression for the whole name, or "all-linear". */
  readonly target_modules: readonly string[] | string;
  /** Left out although named: names or their ends, or a regular expression for the whole name. */
  readonly exclude_modules?: readonly string[] | string | null;
  /** Only layers whose number (the first in their name) is one of these; beside a list of target_modules. */
  readonly layers_to_transform?: readonly number[] | number | null;
  /** What stands before the number, such as "layers"; a regular expression. */
  readonly layers_pattern?: readonly string[] | string | null;
  /** Ranks and alphas in place of r and lora_alpha, by a regular expression for the name or its end after a dot. */
  readonly rank_pattern?: Readonly<Record<string, number>> | null;
  readonly alpha_pattern?: Readonly<Record<string, number>> | null;
  /** The file that they were read from; absent for a recipe's. */
  readonly source?: string;
  /** Scale by alpha / √r in place of alpha / r (arXiv 2312.03732). */
  readonly use_rslora?: boolean;
}

/**
 * The adapted layers by their weights' common name. UserError where nothing is named, and where PEFT would adapt or refuse
 * something that is no linear layer inside the stacks: an adapter that both can load must mean the same to both.
 */
export function adapterLayers(model: Model, o: LoraOptions): ReadonlyMap<string, AdapterLayer> {
  return createTimeLimit()("choosing layers by target_modules", () => chooseLayers(model, o));
}

function chooseLayers(model: Model, o: LoraOptions): ReadonlyMap<string, AdapterLayer> {
  checkCombination(o);
  const layers = linearLayers(model);
  const isTarget = targetRule(o);
  const nameOf = namingFor(model, layers, isTarget);
  const chosen = layers.filter((layer) => isTarget(nameOf(layer)));
  if (chosen.length === 0) {
    const { layers_to_transform: numbers, layers_pattern } = o;
    const anywhere = targetRule({ ...o, layers_to_transform: null, layers_pattern: null });
    if (asList(numbers).length > 0 && layers.some((layer) => anywhere(nameOf(layer)))) {
      const within = asList(layers_pattern).length === 0 ? "" : ` behind ${JSON.stringify(layers_pattern)}`;
      throw new UserError(
        `${keyOf(o, "layers_to_transform")}: no layer of target_modules has the number ${asList(numbers).join(" or ")}${within}`,
      );
    }
    const examples = layers.slice(-3).map((layer) => model.moduleName(layer));
    const own = layers.map((layer) => model.moduleName(layer).split(".").at(-1)!);
    const near = nearest(asList(o.target_modules)[0] ?? "", ["all-linear", ...new Set(own)]);
    const advice = near === null ? "" : `; did you mean ${near}?`;
    throw new UserError(
      `${keyOf(o, "target_modules")}: ${JSON.stringify(o.target_modules)} names no linear layer of ${model.modelType}; layers are called ${examples.join(", ")}…${advice}`,
    );
  }
  const other = isAllLinear(o) ? undefined : otherModules(model, layers, nameOf).find(isTarget);
  if (other !== undefined) {
    throw new UserError(
      `${keyOf(o, "target_modules")}: ${JSON.stringify(o.target_modules)} also names ${other}, which can have no adapter; only linear layers can, the output head excepted: name them more closely, or leave it out with exclude_modules`,
    );
  }
  return new Map(chosen.map((layer) => [layer, rankAndScale(nameOf(layer), o)]));
}

/**
 * Throws UserError for a part of the options that changes nothing beside others that do: a name in a list that adds or leaves
 * out no layer, a layer's number or pattern that none has, a rank or alpha for no adapted layer. PEFT passes over most of
 * them, so that an adapter made elsewhere may have some; in a recipe they are slips.
 */
export function requireUsed(model: Model, o: LoraOptions): void {
  createTimeLimit()("choosing layers by target_modules", () => {
    const adapted = [...chooseLayers(model, o).keys()].flatMap((layer) => [layer, model.moduleName(layer)]);
    const all = linearLayers(model);
    const names = all.map(namingFor(model, all, targetRule(o)));
    const count = (changed: Partial<LoraOptions>) => names.filter(targetRule({ ...o, ...changed })).length;
    const listed = (value: LoraOptions["exclude_modules"]) => (typeof value === "string" ? [] : asList(value));
    const withAll = count({ exclude_modules: null });

    requireEach("target_modules", listed(o.target_modules), names, (name) => count({ target_modules: [name] }) > 0);
    requireEach("exclude_modules", listed(o.exclude_modules), names, (n) => count({ exclude_modules: [n] }) < withAll);
    requireEach(
      "layers_to_transform",
      asList(o.layers_to_transform),
      names,
      (i) => count({ layers_to_transform: [i] }) > 0,
    );
    requireEach("layers_pattern", asList(o.layers_pattern), names, (part) => count({ layers_pattern: [part] }) > 0);
    for (const key of ["rank_pattern", "alpha_pattern"] as const) {
      const isUsed = (pattern: string) => adapted.some((name) => endMatch(pattern, keyOf(o, key)).test(name));
      requireEach(key, Object.keys(o[key] ?? {}), adapted, isUsed);
    }
  });
}

/** Throws UserError for the first item without use, with the name among `names`, or end of one, that is nearest to it. */
function requireEach<T extends string | number>(
  key: keyof LoraOptions,
  items: readonly T[],
  names: readonly string[],
  isUsed: (item: T) => boolean,
): void {
  const unused = items.find((item) => !isUsed(item));
  if (unused === undefined) return;
  const known = new Set(names.flatMap((name) => [name, name.split(".").at(-1)!]));
  const near = typeof unused === "string" ? nearest(unused, [...known]) : null;
  const advice = near === null || near === unused ? "" : `; did you mean ${JSON.stringify(near)}?`;
  throw new UserError(`model.lora.${key}: ${JSON.stringify(unused)} fits no layer beside the other keys${advice}`);
}

/** How the options call layers: as the module tree does, or as the files do, which adapters from transformers 4 follow. */
function namingFor(
  model: Model,
  layers: readonly string[],
  isTarget: (module: string) => boolean,
): (layer: string) => string {
  const named = [(layer: string) => model.moduleName(layer), (layer: string) => layer];
  return named.find((name) => layers.some((layer) => isTarget(name(layer)))) ?? named[0]!;
}

/** How errors call a key: as the recipe spells it, or with the adapter's file. */
function keyOf({ source }: LoraOptions, key: keyof LoraOptions): string {
  return source === undefined ? `model.lora.${key}` : `${source}: ${key}`;
}

function checkCombination(o: LoraOptions): void {
  const restricts = o.layers_to_transform != null || o.layers_pattern != null;
  if (typeof o.target_modules === "string" && restricts) {
    throw new UserError(
      `${keyOf(o, "layers_to_transform")}: needs a list in target_modules; a regular expression can hold the numbers itself`,
    );
  }
  if (asList(o.layers_pattern).length > 0 && o.layers_to_transform == null) {
    throw new UserError(`${keyOf(o, "layers_pattern")}: needs layers_to_transform beside it`);
  }
}

function isAllLinear({ target_modules }: LoraOptions): boolean {
  return typeof target_modules === "string" && target_modules.toLowerCase() === "all-linear";
}

/** Whether a module of this name gets an adapter. */
function targetRule(o: LoraOptions): (module: string) => boolean {
  const isExcluded = o.exclude_modules ? nameRule(o.exclude_modules, keyOf(o, "exclude_modules")) : () => false;
  const isNamed = isAllLinear(o) ? () => true : nameRule(o.target_modules, keyOf(o, "target_modules"));
  const isInLayer = layerRule(o);
  return (module) => !isExcluded(module) && isNamed(module) && isInLayer(module);
}

function nameRule(names: readonly string[] | string, key: string): (module: string) => boolean {
  if (typeof names !== "string") return (module) => names.some((n) => module === n || module.endsWith(`.${n}`));
  const pattern = fullMatch(names, key);
  return (module) => pattern.test(module);
}

function layerRule(o: LoraOptions): (module: string) => boolean {
  const { layers_to_transform, layers_pattern } = o;
  const numbers = asList(layers_to_transform);
  if (numbers.length === 0) return () => true;
  const given = asList(layers_pattern);
  const patterns =
    given.length === 0
      ? [/^.*?\.[^.]*\.(?<idx>\d+)\./]
      : given.map((pattern) => numberedMatch(pattern, keyOf(o, "layers_pattern")));
  return (module) => {
    const match = patterns.map((pattern) => pattern.exec(module)).find((found) => found !== null);
    return match !== undefined && numbers.includes(Number(match.groups!["idx"]));
  };
}

function rankAndScale(module: string, o: LoraOptions): AdapterLayer {
  const matched = (key: "rank_pattern" | "alpha_pattern") =>
    Object.entries(o[key] ?? {}).find(([pattern]) => endMatch(pattern, keyOf(o, key)).test(module))?.[1];
  const rank = matched("rank_pattern") ?? o.r;
  const alpha = matched("alpha_pattern") ?? o.lora_alpha;
  return { rank, scaling: alpha / (o.use_rslora ? Math.sqrt(rank) : rank) };
}

/** Every linear layer but the output head, by its weights' common name. */
export function linearLayers(model: Model): string[] {
  const isMatrix = (name: string) => name.endsWith(".weight") && model.weights[name]!.shape.length === 2;
  const inBlocks = [model.vision, model.language].flatMap((stack) =>
    Array.from({ length: stack.depth }, (_, i) => stack.blockWeights.map((name) => stack.blockPrefix(i) + name)).flat(),
  );
  return [...inBlocks, ...model.vision.headWeights].filter(isMatrix).map((name) => name.slice(0, -".weight".length));
}

/** transformers' name of the output head, which is a module even where its weight is the embedding's. */
const HEAD = "lm_head";

/** All other modules that hold weights, themselves or below them. */
function otherModules(model: Model, linear: readonly string[], nameOf: (layer: string) => string): readonly string[] {
  const modules = new Set([HEAD]);
  for (const weight of Object.keys(model.weights)) {
    const parts = nameOf(weight.slice(0, weight.lastIndexOf("."))).split(".");
    for (let length = parts.length; length > 0; length--) modules.add(parts.slice(0, length).join("."));
  }
  for (const layer of linear) modules.delete(nameOf(layer));
  return [...modules];
}

function asList<T>(value: readonly T[] | T | null | undefined): readonly T[] {
  if (value == null || value === "") return [];
  return Array.isArray(value) ? value : [value as T];
}

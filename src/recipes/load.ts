/** Reads recipes (YAML file, `--set` overrides, schema, paths) and writes the resolved recipe. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { stringify } from "yaml";
import { UserError } from "../core/errors.ts";
import { HUB, hereOrShipped, pathAdvice, shippedModel } from "../core/named-paths.ts";
import { type RewardFactory, rewards } from "../rewards/index.ts";
import { type EnvironmentSettings, environmentPaths } from "../tools/index.ts";
import { trackers } from "../track/table.ts";
import { requireKind } from "./file-kinds.ts";
import { applyOverride, type Override, parseOverride } from "./overrides.ts";
import { describeProblem, type KeyPath } from "./problems.ts";
import { type Recipe, recipeSchema, type Stage, type StageReward } from "./schema.ts";
import { readYamlFile, type YamlFile } from "./yaml-file.ts";

/** A recipe ready to run, and the YAML that reloads to it. */
export interface LoadedRecipe {
  readonly recipe: Recipe;
  readonly yaml: string;
}

/** Loads a recipe; every error in it is a UserError of one sentence with file, line and key. */
export function loadRecipe(named: string, sets: readonly string[] = []): LoadedRecipe {
  const file = hereOrShipped(named);
  const yaml = readYamlFile(file, "recipe");
  requireKind(yaml.value, file, "recipe");
  const overrides = sets.map(parseOverride);
  const input = overrides.reduce<unknown>((value, override) => applyOverride(value, override), yaml.value);
  const recipe = locatedRecipe(input, file, (path) => origin(path, yaml, overrides));
  return { recipe, yaml: resolvedYaml(recipe) };
}

/** A recipe given as plain data: validated, with paths resolved as if it were in `file`. */
export function locatedRecipe(input: unknown, file: string, where: (path: KeyPath) => string): Recipe {
  return resolvePaths(parseRecipe(input, where), file);
}

/**
 * Validates plain data against the schema and fills in defaults; `where` says where the value at a path was written.
 */
export function parseRecipe(input: unknown, where: (path: KeyPath) => string = () => "recipe"): Recipe {
  const result = recipeSchema.safeParse(input);
  if (!result.success) throw new UserError(describeProblem(result.error.issues, input, where));
  return result.data;
}

/**
 * The recipe as YAML with all defaults, in the schema's order; it reloads to the same recipe. `notes` (such as content
 * hashes) become comment lines at the top.
 */
export function resolvedYaml(recipe: Recipe, notes: Readonly<Record<string, string>> = {}): string {
  const comments = Object.entries(notes).map(([key, value]) => `# ${key}: ${value}\n`);
  return comments.join("") + stringify(recipeSchema.parse(recipe), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The `--set` that set a path, else the file and the line of the nearest existing key. */
function origin(path: KeyPath, yaml: YamlFile, overrides: readonly Override[]): string {
  const isBelow = (inner: KeyPath, outer: KeyPath) => outer.every((part, i) => part === inner[i]);
  const override =
    overrides.findLast((o) => isBelow(path, o.path)) ?? overrides.find((o) => !yaml.has(path) && isBelow(o.path, path)); // created this key as a parent
  return override === undefined ? yaml.origin(path) : `--set ${override.text}`;
}

function resolvePaths(recipe: Recipe, file: string): Recipe {
  const { model, data } = recipe;
  const locate = (path: string, key: string) => locateFile(path, key, file);
  const dataset = <T extends Recipe["data"]["train"]>(spec: T, key: string): T =>
    located(spec, (path, inner) => locateSource(path, `${key}.${inner}`, file, false));
  return {
    ...recipe,
    vocabulary: recipe.vocabulary === null ? null : locate(recipe.vocabulary, "vocabulary"),
    model: { ...model, path: locateSource(model.path, "model.path", file, true) },
    data: {
      ...data,
      train: dataset(data.train, "data.train"),
      eval: data.eval === null ? null : dataset(data.eval, "data.eval"),
    },
    track: recipe.track.map((o) =>
      trackers[o.to].place === "folder" && o.at !== null ? { ...o, at: resolve(o.at) } : o,
    ),
    stages: recipe.stages.map((stage, i) => {
      if ("images" in stage && stage.images !== null) {
        return { ...stage, images: dataset(stage.images, `stages.${i}.images`) };
      }
      return locateStage(stage, (path, key) => locate(path, `stages.${i}.${key}`));
    }),
  };
}

type Locate = (path: string, key: string) => string;

/** A data set with its path resolved, and those of the sets that it is made of. */
function located<T extends object>(spec: T, locate: Locate, prefix = ""): T {
  const { path, sets, table } = spec as { readonly path?: unknown; readonly sets?: unknown; readonly table?: unknown };
  return {
    ...spec,
    ...(typeof path === "string" ? { path: locate(path, `${prefix}path`) } : {}),
    ...(typeof table === "string" ? { table: locate(table, `${prefix}table`) } : {}),
    ...(Array.isArray(sets) ? { sets: sets.map((own: object, i) => located(own, locate, `${prefix}sets.${i}.`)) } : {}),
  };
}

/** A stage with resolved paths of its pairs and rewards. */
function locateStage(stage: Stage, locate: Locate): Stage {
  if ("environment" in stage) {
    const environment = locateEnvironment(stage.environment, locate);
    if (!("rewards" in stage)) return { ...stage, environment };
    return { ...stage, environment, rewards: locateRewards(stage.rewards, "rewards", locate) };
  }
  if (!("pairs" in stage)) return stage;
  const { pairs, rollouts } = stage;
  return {
    ...stage,
    pairs: pairs === null ? null : locate(pairs, "pairs"),
    rollouts: rollouts && { ...rollouts, rewards: locateRewards(rollouts.rewards, "rollouts.rewards", locate) },
  };
}

function locateEnvironment(settings: EnvironmentSettings | null, locate: Locate): EnvironmentSettings | null {
  if (settings === null) return null;
  const own: Readonly<Record<string, unknown>> = { ...settings };
  const paths = environmentPaths(settings.name).flatMap((option) => {
    const path = own[option];
    return typeof path === "string" ? [[option, locate(path, `environment.${option}`)] as const] : [];
  });
  return { ...settings, ...Object.fromEntries(paths) };
}

/** Reward options that are files or folders; a module can use the names of viva's own. */
const rewardPaths = ["module", ...Object.values<RewardFactory>(rewards).flatMap(({ paths }) => paths ?? [])];

/** Resolves the files and folders in rewards' options, like all paths of a recipe. */
function locateRewards(
  spec: Readonly<Record<string, StageReward>>,
  key: string,
  locate: Locate,
): Record<string, StageReward> {
  const located = Object.entries(spec).map(([name, reward]) => {
    const paths = rewardPaths.flatMap((option) => {
      const path = reward[option];
      return typeof path === "string" ? [[option, locate(path, `${key}.${name}.${option}`)] as const] : [];
    });
    return [name, { ...reward, ...Object.fromEntries(paths) }] as const;
  });
  return Object.fromEntries(located);
}

/** A model's or a data set's path as an absolute one; what is written as an id of the Hub stays. */
function locateSource(path: string, key: string, file: string, isModel: boolean): string {
  if (path.startsWith(HUB)) return path;
  const found = existing(path, file) ?? (isModel ? shippedModel(path) : null);
  if (found !== null) return found;
  throw new UserError(nothingAt(path, key, file) + pathAdvice(path, { model: isModel }));
}

/**
 * The path of another file or folder. One that is nowhere is a mistake where it is spelled as a path; else it stays, and who
 * opens it says what it lacks: a recipe can be read where not all that it names is.
 */
function locateFile(path: string, key: string, file: string): string {
  const found = existing(path, file);
  if (found !== null) return found;
  if (!isAbsolute(path) && !/^\.{1,2}([\\/]|$)/.test(path)) return path;
  throw new UserError(nothingAt(path, key, file));
}

function nothingAt(path: string, key: string, file: string): string {
  return `${file}: ${key}: nothing at ${placesOf(path, file).join(" nor at ")}`;
}

/** A path from the working directory, else from the recipe's folder. */
function existing(path: string, file: string): string | null {
  return placesOf(path, file).find((place) => existsSync(place)) ?? null;
}

function placesOf(path: string, file: string): readonly string[] {
  return [...new Set([resolve(path), resolve(dirname(file), path)])];
}

/** Reads a federation file into sites with a complete recipe each; every error is a UserError of one sentence. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { hereOrShipped } from "../core/named-paths.ts";
import { requireKind } from "../recipes/file-kinds.ts";
import { loadRecipe, locatedRecipe } from "../recipes/load.ts";
import { applyOverride, overrideOf, parseOverride } from "../recipes/overrides.ts";
import { describeProblem } from "../recipes/problems.ts";
import type { Recipe } from "../recipes/schema.ts";
import { readYamlFile } from "../recipes/yaml-file.ts";
import type { ModeName } from "./modes.ts";
import { type FederationFile, federationJsonSchema, federationSchema } from "./schema.ts";

/** A site: its name, and the recipe that it trains. */
export interface FederationClient {
  readonly name: string;
  readonly recipe: Recipe;
}

/** A federation ready to run; it is stored as it is. */
export interface Federation {
  readonly name: string;
  readonly mode: ModeName;
  readonly rounds: number;
  readonly localSteps: number;
  /** Sorted by name, so that sums do not depend on the order of the file. */
  readonly clients: readonly FederationClient[];
  /** What is evaluated at the end, on data.eval of the base; null where it names none. */
  readonly evaluation: Recipe | null;
}

/** Recipe keys that a site may have of its own. */
const OWN = /^(data\.(train|on_bad_image|on_too_long)|engine)(\.|$)/;

/** Loads a federation; `sets` change keys of the file, as `mode=svd` or `base.seed=2`. */
export function loadFederation(named: string, sets: readonly string[] = []): Federation {
  const file = hereOrShipped(named);
  const yaml = readYamlFile(file, "federation");
  requireKind(yaml.value, file, "federation");
  const input = sets
    .map(parseOverride)
    .reduce<unknown>((value, set) => applyOverride(withBase(value, file), set), yaml.value);
  const parsed = federationSchema.safeParse(input);
  if (!parsed.success) {
    const sentence = describeProblem(parsed.error.issues, input, yaml.origin, federationJsonSchema());
    throw new UserError(sentence.replace("the recipe must", "the federation must"));
  }
  const found = parsed.data;
  const base = (withBase(found, file) as { readonly base: unknown }).base;
  const recipeOf = (set: Readonly<Record<string, unknown>>, name: string, where: string) => {
    const changed = Object.entries(set).reduce((value, [key, to]) => applyOverride(value, overrideOf(key, to)), base);
    return locatedRecipe({ ...(changed as object), name }, file, () => where);
  };
  const clients = found.clients.map(({ name, set }, i) => {
    const where = yaml.origin(["clients", i]);
    const foreign = Object.keys(set).find((key) => !OWN.test(key));
    if (foreign !== undefined) {
      throw new UserError(
        `${where}: clients.${i}.set.${foreign}: all sites train alike; a site's own are keys of data.train and engine`,
      );
    }
    return { name, recipe: recipeOf(set, name, where) };
  });
  requireNames(found.clients, file);
  for (const { recipe } of clients) requireTrainable(recipe, file);
  const whole = recipeOf({}, found.name, file);
  return {
    name: found.name,
    mode: found.mode,
    rounds: found.rounds,
    localSteps: found.local_steps,
    clients: clients.sort((a, b) => (a.name < b.name ? -1 : 1)),
    evaluation: whole.data.eval === null || whole.evaluate === null ? null : whole,
  };
}

/** The file's content with the recipe in place of its path; paths in that recipe are made absolute. */
function withBase(input: unknown, file: string): unknown {
  const { base } = input as { readonly base?: unknown };
  if (typeof base !== "string") return input;
  const found = [resolve(dirname(file), base), resolve(base)].find((path) => existsSync(path));
  if (found === undefined) throw new UserError(`${file}: base: nothing at ${resolve(dirname(file), base)}`);
  return { ...(input as object), base: loadRecipe(found).recipe };
}

function requireNames(clients: FederationFile["clients"], file: string): void {
  const names = clients.map(({ name }) => name.toLowerCase()); // names become folders
  const twin = names.find((name, i) => names.indexOf(name) < i);
  if (twin !== undefined) throw new UserError(`${file}: clients: the name ${twin} is taken twice`);
}

function requireTrainable({ stages, model }: Recipe, file: string): void {
  if (stages.length !== 1)
    throw new UserError(`${file}: base.stages: a federation trains one stage, got ${stages.length}`);
  if (model.lora === null) throw new UserError(`${file}: base.model.lora: sites train adapters, so it is needed`);
  if (model.freeze.length > 0)
    throw new UserError(`${file}: base.model.freeze: the mode says what is frozen; leave it out`);
}

/** Reads a study file into arms with a complete recipe each; every error is a UserError of one sentence. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { hereOrShipped } from "../core/named-paths.ts";
import { nearest } from "../core/suggest.ts";
import { requireKind } from "../recipes/file-kinds.ts";
import { loadRecipe, locatedRecipe } from "../recipes/load.ts";
import { applyOverride, overrideOf } from "../recipes/overrides.ts";
import { describeProblem } from "../recipes/problems.ts";
import type { Recipe, Stage } from "../recipes/schema.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { readYamlFile, type YamlFile } from "../recipes/yaml-file.ts";
import { type ArmFile, type StudyFile, studyJsonSchema, studySchema } from "./schema.ts";

/** An arm with its complete recipe; name and seed are set when a run is planned. */
export interface StudyArmSpec {
  readonly name: string;
  readonly dimensions: readonly string[];
  readonly about: string | null;
  /** The arm of the same seed whose last weights it starts from. */
  readonly weights: string | null;
  readonly recipe: Recipe;
}

/** A study ready to be planned. */
export interface Study {
  readonly name: string;
  readonly about: string | null;
  readonly seeds: readonly number[];
  readonly reference: string;
  /** Arms that another must beat to be called improved; the reference is the first. */
  readonly baselines: readonly string[];
  readonly arms: readonly StudyArmSpec[];
  /** Whose arms are all among `arms`; `against` is named. */
  readonly predicts: readonly (Omit<StudyFile["predicts"][number], "against"> & { readonly against: string })[];
  /** Old and new questions by a stratum; null where the study does not ask. */
  readonly retention: StudyFile["retention"];
  /** Of arms that are among `arms`; null for no matrix. */
  readonly generalisation: StudyFile["generalisation"];
  /** A pilot's study.json. */
  readonly pilot: string | null;
}

/** Loads a study; `quick` applies the file's own shortening. */
export function loadStudy(named: string, o: { readonly quick: boolean }): Study {
  const file = hereOrShipped(named);
  const yaml = readYamlFile(file, "study");
  requireKind(yaml.value, file, "study");
  const parsed = studySchema.safeParse(yaml.value);
  if (!parsed.success) {
    const sentence = describeProblem(parsed.error.issues, yaml.value, yaml.origin, studyJsonSchema());
    throw new UserError(sentence.replace("the recipe must", "the study must"));
  }
  const study = parsed.data;
  checkArms(study, yaml);
  const base = readBase(study.base, file);
  const kept = o.quick && study.quick.arms !== null ? withNeeded(study, study.quick.arms) : study.arms;
  const arms = kept.map((arm) => ({
    name: arm.name,
    dimensions: arm.dimensions,
    about: arm.about,
    weights: arm.weights,
    recipe: armRecipe(study, arm, base, yaml, o.quick),
  }));
  const without = study.retention === null ? undefined : arms.find(({ recipe }) => recipe.evaluate?.at_start !== true);
  if (without !== undefined) {
    const where = yaml.origin(["retention"]);
    throw new UserError(
      `${where}: retention: arm ${without.name} needs evaluate.at_start: true, for what it knew before`,
    );
  }
  return {
    name: study.name,
    about: study.about,
    seeds: (o.quick ? study.quick.seeds : null) ?? study.seeds,
    reference: study.reference,
    baselines: [...new Set([study.reference, ...study.baselines])].filter((name) =>
      kept.some((arm) => arm.name === name),
    ),
    predicts: study.predicts
      .map((prediction) => ({ ...prediction, against: prediction.against ?? study.reference }))
      .filter(({ arm, against }) => [arm, against].every((name) => kept.some((one) => one.name === name))),
    retention: kept.some(({ name }) => name === study.retention?.control) ? study.retention : null,
    generalisation: study.generalisation && {
      ...study.generalisation,
      trained_on: Object.fromEntries(
        Object.entries(study.generalisation.trained_on).filter(([name]) => kept.some((arm) => arm.name === name)),
      ),
    },
    pilot: study.pilot === null ? null : resolve(dirname(file), study.pilot),
    arms,
  };
}

/** The named arms, the reference, and the arms whose weights they start from, in the study's order. */
export function withNeeded<T extends { readonly name: string; readonly weights: string | null }>(
  study: { readonly reference: string; readonly arms: readonly T[] },
  names: readonly string[],
): readonly T[] {
  const wanted = new Set<string>();
  const add = (name: string) => {
    const arm = study.arms.find((one) => one.name === name);
    if (arm === undefined) throw new UserError(unknownArm(name, study.arms, "--arms"));
    wanted.add(name);
    if (arm.weights !== null) add(arm.weights);
  };
  for (const name of [study.reference, ...names]) add(name);
  return study.arms.filter(({ name }) => wanted.has(name));
}

function checkArms(file: StudyFile, yaml: YamlFile): void {
  const { arms, seeds, reference, baselines, quick, predicts, retention, generalisation } = file;
  const lists = [
    ["seeds", seeds],
    ["quick.seeds", quick.seeds ?? []],
  ] as const;
  for (const [key, list] of lists) {
    const twice = list.find((seed, i) => list.indexOf(seed) < i);
    if (twice === undefined) continue;
    throw new UserError(
      `${yaml.origin(key.split("."))}: ${key}: ${twice} is there twice, and would be one run counted as two`,
    );
  }
  for (const [i, { name, from, weights, set }] of arms.entries()) {
    const ofStudy = ["seed", "name"].find((key) => Object.hasOwn(set, key));
    if (ofStudy !== undefined) {
      const instead = ofStudy === "seed" ? "the study's seeds give it" : "it is the arm's own name";
      throw new UserError(
        `${yaml.origin(["arms", i, "set"])}: arms.${i}.set: ${ofStudy} is no change of an arm: ${instead}`,
      );
    }
    const twin = arms.findIndex((arm) => arm.name.toLowerCase() === name.toLowerCase()); // names become folders
    if (twin < i) throw new UserError(`${yaml.origin(["arms", i, "name"])}: arms.${i}.name: ${name} is taken`);
    for (const [key, other] of Object.entries({ from, weights })) {
      if (other === null) continue;
      const at = arms.findIndex((arm) => arm.name === other);
      const where = `${yaml.origin(["arms", i, key])}: `;
      if (at < 0) throw new UserError(where + unknownArm(other, arms, `arms.${i}.${key}`));
      if (at >= i) throw new UserError(`${where}arms.${i}.${key}: ${other} must come before ${name}`);
    }
  }
  const named = [
    ["reference", reference] as const,
    ...baselines.map((arm) => ["baselines", arm] as const),
    ...(retention === null ? [] : [["retention.control", retention.control] as const]),
    ...(quick.arms ?? []).map((arm) => ["quick.arms", arm] as const),
    ...Object.keys(generalisation?.trained_on ?? {}).map((arm) => ["generalisation.trained_on", arm] as const),
    ...predicts.flatMap(({ arm, against }, i) => [
      [`predicts.${i}.arm`, arm] as const,
      ...(against === null ? [] : [[`predicts.${i}.against`, against] as const]),
    ]),
  ];
  for (const [i, { arm, against, direction, margin }] of predicts.entries()) {
    const at = `${yaml.origin(["predicts", i])}: predicts.${i}`;
    if (arm === (against ?? reference)) throw new UserError(`${at}: ${arm} is compared with itself`);
    if ((direction === "same") !== (margin !== null)) {
      throw new UserError(`${at}: a margin belongs to direction: same, and to no other`);
    }
  }
  for (const [key, name] of named) {
    if (arms.some((arm) => arm.name === name)) continue;
    throw new UserError(`${yaml.origin(key.split("."))}: ${unknownArm(name, arms, key)}`);
  }
}

function unknownArm(name: string, arms: readonly { readonly name: string }[], key: string): string {
  const names = arms.map((arm) => arm.name);
  const near = nearest(name, names);
  return `${key}: there is no arm ${name}; ${near === null ? `there are ${names.join(", ")}` : `did you mean ${near}?`}`;
}

/** The base as plain data, without defaults, since an arm's changes can affect them. */
function readBase(base: StudyFile["base"], file: string): unknown {
  if (typeof base !== "string") return base;
  const found = [resolve(dirname(file), base), resolve(base)].find((path) => existsSync(path));
  if (found === undefined) throw new UserError(`${file}: base: nothing at ${resolve(dirname(file), base)}`);
  const { model, data } = loadRecipe(found).recipe; // a complete recipe, with paths relative to its own folder
  const located = { "model.path": model.path, "data.train.path": data.train.path, "data.eval.path": data.eval?.path };
  const set = Object.entries(located).filter(([, path]) => typeof path === "string");
  return changed(readYamlFile(found, "recipe").value, Object.fromEntries(set), found);
}

/** The base with the changes of the arms it builds on, its own, and those of `--quick`. */
function armRecipe(study: StudyFile, arm: ArmFile, base: unknown, yaml: YamlFile, quick: boolean): Recipe {
  const lineage: ArmFile[] = [];
  for (let at: ArmFile | undefined = arm; at !== undefined; ) {
    lineage.unshift(at);
    const { from }: ArmFile = at;
    at = study.arms.find(({ name }) => name === from);
  }
  const origin = `${yaml.origin(["arms", study.arms.indexOf(arm)])}, arm ${arm.name}`;
  const own = lineage.reduce((recipe, { set }) => changed(recipe, set, origin), base);
  const input = changed({ ...(own as object), name: arm.name }, quick ? study.quick.set : {}, `${origin}, --quick`);
  const recipe = locatedRecipe(input, yaml.file, () => origin);
  const { evaluate } = recipe;
  return {
    ...recipe,
    stages: quick ? recipe.stages.map((stage) => scaled(stage, study.quick.scale_steps)) : recipe.stages,
    // Made explicit, so that arms with different later stages evaluate shared stages alike.
    evaluate: evaluate && { ...evaluate, max_completion_length: evaluationLength(recipe) },
  };
}

function changed(recipe: unknown, set: StudyFile["quick"]["set"], origin: string): unknown {
  try {
    return Object.entries(set).reduce((value, [key, to]) => applyOverride(value, overrideOf(key, to)), recipe);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${origin}: ${error.message.replace(/^--set /, "")}`, { cause: error });
  }
}

function scaled(stage: Stage, factor: number): Stage {
  if (stage.steps !== null) return { ...stage, steps: Math.max(1, Math.round(factor * stage.steps)) };
  return "epochs" in stage ? { ...stage, epochs: factor * stage.epochs! } : stage;
}

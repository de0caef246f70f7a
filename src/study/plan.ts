/**
 * The runs of a study: a run per arm and seed, and a run for every prefix of stages that several arms share. An arm
 * resumes from a shared prefix like an interrupted run, so its record equals that of a run that trained all stages
 * itself.
 */
import { createHash } from "node:crypto";
import type { Recipe } from "../recipes/schema.ts";
import type { Study, StudyArmSpec } from "./load.ts";

/** A run of a study. */
export interface PlannedRun {
  /** Its folder within the study's, such as runs/grpo-seed1 or prefixes/sft-1a2b3c4d-seed1. */
  readonly folder: string;
  /** Null for a shared prefix that is not an arm. */
  readonly arm: string | null;
  readonly seed: number;
  readonly recipe: Recipe;
  /** The run whose stages this one continues. */
  readonly parent: string | null;
  /** Number of stages taken from its parent. */
  readonly inherited: number;
  /** The run whose last weights it starts from: its recipe's model.path is set once they exist. */
  readonly weights: string | null;
}

/** All runs, seed by seed, in dependency order. */
export function planRuns(study: Study): readonly PlannedRun[] {
  return study.seeds.flatMap((seed) => planSeed(study.arms, seed));
}

interface Candidate {
  readonly arm: StudyArmSpec;
  readonly recipe: Recipe;
  /** Keys of the first 1, 2, … stages: equal for arms that share these stages. */
  readonly keys: readonly string[];
}

function planSeed(arms: readonly StudyArmSpec[], seed: number): readonly PlannedRun[] {
  const candidates = arms.map((arm): Candidate => {
    const recipe = { ...arm.recipe, seed };
    return { arm, recipe, keys: recipe.stages.map((_, i) => startKey(recipe, i + 1, arm.weights)) };
  });
  const users = new Map<string, number>();
  for (const key of candidates.flatMap(({ keys }) => keys)) users.set(key, (users.get(key) ?? 0) + 1);
  const runs = new Map<string, PlannedRun>();

  const addArm = (candidate: Candidate): PlannedRun => {
    const { arm, recipe, keys } = candidate;
    const twin = candidates.find((other) => other.keys.at(-1) === keys.at(-1))!; // itself, unless an equal arm came first
    const folder = `runs/${arm.name}-seed${seed}`;
    const stages = recipe.stages.length;
    return add(candidate, { folder, arm: arm.name, stages, parent: twin === candidate ? null : addArm(twin) });
  };
  /** The run of the leading stages: the arm that consists of exactly these, if there is one, else a prefix run. */
  const addStart = (candidate: Candidate, stages: number): PlannedRun => {
    const key = candidate.keys[stages - 1]!;
    const whole = candidates.find(({ keys }) => keys.at(-1) === key);
    if (whole !== undefined) return addArm(whole);
    return add(candidate, { folder: prefixFolder(candidate.recipe, stages, key), arm: null, stages, parent: null });
  };
  const add = (
    candidate: Candidate,
    o: Pick<PlannedRun, "folder" | "arm"> & { readonly stages: number; readonly parent: PlannedRun | null },
  ): PlannedRun => {
    const known = runs.get(o.folder);
    if (known !== undefined) return known;
    const { arm, recipe, keys } = candidate;
    const weights = arm.weights === null ? null : addArm(candidates.find(({ arm: { name } }) => name === arm.weights)!);
    const shared = keys.slice(0, o.stages - 1).findLastIndex((key) => users.get(key)! > 1) + 1;
    const parent = o.parent ?? (shared > 0 ? addStart(candidate, shared) : null);
    const run: PlannedRun = {
      folder: o.folder,
      arm: o.arm,
      seed,
      recipe: { ...recipe, name: o.arm ?? o.folder.split("/")[1]!, stages: recipe.stages.slice(0, o.stages) },
      parent: parent?.folder ?? null,
      inherited: parent?.recipe.stages.length ?? 0,
      weights: weights?.folder ?? null,
    };
    runs.set(run.folder, run);
    return run;
  };
  for (const candidate of candidates) addArm(candidate);
  return [...runs.values()];
}

/** Equal for runs that are identical up to the end of their first `stages` stages. */
function startKey(recipe: Recipe, stages: number, weights: string | null): string {
  const start = { ...recipe, name: "", stages: recipe.stages.slice(0, stages), weights };
  return createHash("sha256").update(JSON.stringify(start)).digest("hex");
}

function prefixFolder({ stages, seed }: Recipe, count: number, key: string): string {
  const kinds = stages.slice(0, count).map(({ kind }) => kind);
  return `prefixes/${kinds.join("-")}-${key.slice(0, 8)}-seed${seed}`;
}

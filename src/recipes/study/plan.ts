/**
 * What a study runs: a run per arm and seed, and a run for every start that several of them share. An arm goes on from a
 * shared start as a stopped run does, so its record equals that of a run which trained all stages itself.
 */
import { createHash } from "node:crypto";
import type { Recipe } from "../schema.ts";
import type { Arm, Study } from "./load.ts";

/** A run of a study. */
export interface PlannedRun {
  /** Its folder within the study's, such as runs/grpo-seed1 or prefixes/sft-1a2b3c4d-seed1. */
  readonly folder: string;
  /** Null for a shared start that is no arm itself. */
  readonly arm: string | null;
  readonly seed: number;
  readonly recipe: Recipe;
  /** The run whose stages are the first of this one. */
  readonly parent: string | null;
  /** Stages it takes from its parent. */
  readonly inherited: number;
  /** The run whose last weights it starts from: its recipe's model.path is set when they exist. */
  readonly weights: string | null;
}

/** All runs, a seed after the other, each after those it needs. */
export function planRuns(study: Study): readonly PlannedRun[] {
  return study.seeds.flatMap((seed) => planSeed(study.arms, seed));
}

interface Candidate {
  readonly arm: Arm;
  readonly recipe: Recipe;
  /** By number of leading stages, from 1. */
  readonly keys: readonly string[];
}

function planSeed(arms: readonly Arm[], seed: number): readonly PlannedRun[] {
  const candidates = arms.map((arm): Candidate => {
    const recipe = { ...arm.recipe, seed };
    return { arm, recipe, keys: recipe.stages.map((_, i) => startKey(recipe, i + 1, arm.weights)) };
  });
  const count = new Map<string, number>();
  for (const key of candidates.flatMap(({ keys }) => keys)) count.set(key, (count.get(key) ?? 0) + 1);
  const folders = new Map<string, string>();
  for (const { arm, keys } of candidates) {
    const whole = keys.at(-1)!;
    if (!folders.has(whole)) folders.set(whole, `runs/${arm.name}-seed${seed}`);
  }
  const runs = new Map<string, PlannedRun>();
  const byName = new Map(candidates.map((candidate) => [candidate.arm.name, candidate]));
  const add = (candidate: Candidate, stages: number, arm: string | null): string => {
    const { recipe, keys } = candidate;
    const key = keys[stages - 1]!;
    const owner = arm === null ? (candidates.find(({ keys: own }) => own.at(-1) === key)?.arm.name ?? null) : arm;
    const folder =
      arm === null ? (folders.get(key) ?? prefixFolder(recipe, stages, key, seed)) : `runs/${arm}-seed${seed}`;
    if (runs.has(folder)) return folder;
    const { weights } = candidate.arm;
    const source = weights === null ? null : addArm(byName.get(weights)!);
    const inherited = sharedStages(keys.slice(0, stages - 1), count);
    const twin = folders.get(key); // an arm equal to an earlier one is trained once, too
    const parent =
      twin !== undefined && twin !== folder ? twin : inherited > 0 ? add(candidate, inherited, null) : null;
    runs.set(folder, {
      folder,
      arm: owner,
      seed,
      recipe: { ...recipe, name: owner ?? folder.split("/")[1]!, stages: recipe.stages.slice(0, stages) },
      parent,
      inherited: parent === null ? 0 : parent === twin ? stages : inherited,
      weights: source,
    });
    return folder;
  };
  const addArm = (candidate: Candidate): string => add(candidate, candidate.recipe.stages.length, candidate.arm.name);
  for (const candidate of candidates) addArm(candidate);
  return [...runs.values()];
}

/** The most leading stages that another arm begins with as well. */
function sharedStages(keys: readonly string[], count: ReadonlyMap<string, number>): number {
  return keys.findLastIndex((key) => count.get(key)! > 1) + 1;
}

/** Equal for runs that are the same up to the end of their first `stages` stages. */
function startKey(recipe: Recipe, stages: number, weights: string | null): string {
  const start = { ...recipe, name: "", stages: recipe.stages.slice(0, stages), weights };
  return createHash("sha256").update(JSON.stringify(start)).digest("hex");
}

function prefixFolder({ stages }: Recipe, count: number, key: string, seed: number): string {
  const kinds = stages.slice(0, count).map(({ kind }) => kind);
  return `prefixes/${kinds.join("-")}-${key.slice(0, 8)}-seed${seed}`;
}

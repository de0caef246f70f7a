/** What a run needs to know about a stage of any kind; the only place that distinguishes kinds by name. */
import { advantageShapers, pairwiseAlgorithms, type Role } from "../algorithms/index.ts";
import type { TokenStat } from "../core/records.ts";
import type { EnvironmentSettings } from "../tools/index.ts";
import { type GenerationSettings, updatesPerStep } from "../train/settings.ts";
import type { PairStage, Recipe, RolloutStage, SftStage, SoftQStage, Stage, WarmUpStage } from "./schema.ts";

/** Keys of a stage that samples completions and rewards them. */
export type Generation = Pick<RolloutStage, keyof GenerationSettings | "rewards">;

interface StageNeeds {
  /** null if the stage does not sample. */
  readonly generation: Generation | null;
  /** Ways in which each question is put; null for as it is. */
  readonly paradigms: Readonly<Record<string, string>> | null;
  /** What sampling must tell of tokens, for the key that asks it; empty where nothing does. */
  readonly tokenStats: readonly TokenStat[];
  /** Whether it needs the policy from the start of the stage as a reference. */
  readonly reference: boolean;
  /** Optimiser steps per step of the run. */
  readonly updates: number;
  /** What an epoch passes over: examples of the training data, pairs of the stage's own file, or images of its own. */
  readonly passesOver: "examples" | "pairs" | "images";
  /** The rows that it needs of every pair of completions; none where it does not learn from pairs. */
  readonly roles: readonly Role[];
  /** Whether it trains a score head. */
  readonly scoreHead: boolean;
}

const noPairs = { roles: [], scoreHead: false, passesOver: "examples", tokenStats: [], paradigms: null } as const;

/** By kind: supervised, preference, soft Q-learning, and the algorithms that learn from rewarded completions. */
export function needsOf(stage: Stage): StageNeeds {
  if (isSupervised(stage)) return { ...noPairs, generation: null, reference: false, updates: 1 };
  if (isWarmUp(stage)) {
    const passesOver = stage.images === null ? "examples" : "images";
    return { ...noPairs, generation: null, reference: false, updates: 1, passesOver };
  }
  if (isPreference(stage)) {
    const passesOver = stage.pairs === null ? "examples" : "pairs";
    const { roles, readout } = pairwiseAlgorithms[stage.kind];
    const scoreHead = readout === "score";
    return { ...noPairs, generation: stage.rollouts, reference: !scoreHead, updates: 1, passesOver, roles, scoreHead };
  }
  if (isSoftQ(stage)) return { ...noPairs, generation: stage, reference: false, updates: 1 };
  const tokenStats = advantageShapers[stage.shaping].stats;
  const { paradigms } = stage;
  return {
    ...noPairs,
    generation: stage,
    paradigms,
    tokenStats,
    reference: stage.beta > 0,
    updates: updatesPerStep(stage),
  };
}

/** How much there is of what an epoch of a stage can pass over. */
type StageCounts = Readonly<Record<StageNeeds["passesOver"], number>>;

/** Steps of a stage; epochs are converted to steps. */
export function stepsOf(stage: Stage, count: StageCounts): number {
  if (stage.steps !== null || !("epochs" in stage)) return stage.steps!;
  return Math.ceil((stage.epochs! * count[needsOf(stage).passesOver]) / stage.batch_size);
}

export function isSupervised(stage: Stage): stage is SftStage {
  return stage.kind === "sft";
}

export function isPreference(stage: Stage): stage is PairStage {
  return Object.hasOwn(pairwiseAlgorithms, stage.kind);
}

export function isSoftQ(stage: Stage): stage is SoftQStage {
  return stage.kind === "soft_q";
}

export function isWarmUp(stage: Stage): stage is WarmUpStage {
  return stage.kind === "warm_up";
}

/** Completion length of evaluations: the recipe's, else the longest rollout, else 64 tokens. */
export function evaluationLength(recipe: Recipe): number {
  const lengths = recipe.stages.flatMap((stage) => needsOf(stage).generation?.max_completion_length ?? []);
  return recipe.evaluate?.max_completion_length ?? (lengths.length > 0 ? Math.max(...lengths) : 64);
}

/** What a stage's completions can do between their turns; null where they have one. */
export function environmentOf(stage: Stage): EnvironmentSettings | null {
  return "environment" in stage ? stage.environment : null;
}

/** Evaluations answer as the last stage that has an environment does. */
export function evaluationEnvironment({ stages }: Pick<Recipe, "stages">): EnvironmentSettings | null {
  return stages.map(environmentOf).findLast((environment) => environment !== null) ?? null;
}

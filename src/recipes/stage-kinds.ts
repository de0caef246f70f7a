/** What a run needs to know about a stage of any kind; the only place that distinguishes kinds by name. */
import { type GenerationSettings, updatesPerStep } from "../train/settings.ts";
import type { DpoStage, Recipe, RolloutStage, SftStage, SoftQStage, Stage } from "./schema.ts";

/** Keys of a stage that samples completions and rewards them. */
export type Generation = Pick<RolloutStage, keyof GenerationSettings | "rewards">;

interface StageNeeds {
  /** null if the stage does not sample. */
  readonly generation: Generation | null;
  /** Whether it needs the policy from the start of the stage as a reference. */
  readonly reference: boolean;
  /** Optimiser steps per step of the run. */
  readonly updates: number;
  /** What an epoch passes over: examples of the training data, or pairs of the stage's own file. */
  readonly passesOver: "examples" | "pairs";
}

/** By kind: supervised, preference, soft Q-learning, and the algorithms that learn from rewarded completions. */
export function needsOf(stage: Stage): StageNeeds {
  if (isSupervised(stage)) return { generation: null, reference: false, updates: 1, passesOver: "examples" };
  if (isPreference(stage)) {
    const passesOver = stage.pairs === null ? "examples" : "pairs";
    return { generation: stage.rollouts, reference: true, updates: 1, passesOver };
  }
  if (isSoftQ(stage)) return { generation: stage, reference: false, updates: 1, passesOver: "examples" };
  return { generation: stage, reference: stage.beta > 0, updates: updatesPerStep(stage), passesOver: "examples" };
}

/** Steps of a stage; epochs are converted to steps. */
export function stepsOf(stage: Stage, count: { readonly examples: number; readonly pairs: number }): number {
  if (stage.steps !== null || !("epochs" in stage)) return stage.steps!;
  return Math.ceil((stage.epochs! * count[needsOf(stage).passesOver]) / stage.batch_size);
}

export function isSupervised(stage: Stage): stage is SftStage {
  return stage.kind === "sft";
}

export function isPreference(stage: Stage): stage is DpoStage {
  return stage.kind === "dpo";
}

export function isSoftQ(stage: Stage): stage is SoftQStage {
  return stage.kind === "soft_q";
}

/** Completion length of evaluations: the recipe's, else the longest rollout, else 64 tokens. */
export function evaluationLength(recipe: Recipe): number {
  const lengths = recipe.stages.flatMap((stage) => needsOf(stage).generation?.max_completion_length ?? []);
  return recipe.evaluate?.max_completion_length ?? (lengths.length > 0 ? Math.max(...lengths) : 64);
}

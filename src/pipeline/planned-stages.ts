/** The stages of a run with their steps. */
import type { Recipe, Stage } from "../recipes/schema.ts";
import { needsOf, stepsOf } from "../recipes/stage-kinds.ts";
import type { RunData } from "../session/session.ts";

/** A stage and where it lies on the run's one step count. */
export interface PlannedStage {
  readonly stage: Stage;
  readonly index: number;
  readonly name: string;
  /** Global steps before the stage. */
  readonly start: number;
  readonly steps: number;
}

/** Every stage with its steps; epochs are turned into steps of the training data. */
export function planStages(recipe: Recipe, data: Pick<RunData, "train" | "pairs" | "images">): PlannedStage[] {
  let start = 0;
  return recipe.stages.map((stage, index) => {
    const steps = stepsOf(stage, {
      ...{ examples: data.train.length, pairs: data.pairs[index]!.length },
      images: data.images[index]!.length,
    });
    const planned = { stage, index, name: stage.kind, start, steps };
    start += steps;
    return planned;
  });
}

/** The stage that a step of the run belongs to, from 1. */
export function stageAt(stages: readonly PlannedStage[], step: number): PlannedStage {
  const found = stages.find(({ start, steps }) => step > start && step <= start + steps);
  if (found === undefined) throw new Error(`internal: step ${step} is in no stage`);
  return found;
}

/** Optimiser steps up to a step of the run: an engine counts from its own start, which is later when resumed. */
export function updatesUntil(stages: readonly PlannedStage[], step: number): number {
  return stages.reduce((total, { stage, start, steps }) => {
    const done = Math.min(Math.max(step - start, 0), steps);
    return total + done * needsOf(stage).updates;
  }, 0);
}

/** What the loops of all stages share. */
import type { PromptStyle } from "../answers/prompts.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import type { Metrics } from "../runs/metrics.ts";
import type { OpenedTools } from "../tools/trajectories.ts";
import type { SkippedExample } from "./batches.ts";
import type { CollectRollouts } from "./collect.ts";
import type { RewardEvent } from "./reward-log.ts";

export interface TrainingContext {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
  readonly examples: readonly Example[];
  readonly prompt: PromptStyle;
  readonly seed: number;
  /** Position of the stage in the recipe, from 0. */
  readonly stage: number;
  /** Steps of the stage. */
  readonly steps: number;
  readonly onBadImage: "error" | "skip";
  readonly onSkip: (skipped: SkippedExample) => void;
  /** What completions may call between their turns; absent or null: they have one. */
  readonly tools?: OpenedTools | null;
  /** Where the rollouts of stages that sample come from. */
  readonly collect: CollectRollouts;
  /** A line for events.jsonl that a reward wants kept, such as a scorer that failed. */
  readonly onRewardEvent?: (record: RewardEvent) => void;
}

/** Where a step stands. */
export interface StepPosition {
  /** In the stage, from 0. */
  readonly index: number;
  /** In the run, from 1. */
  readonly step: number;
  /** Metrics of the stage's step before this one, where there is one. */
  readonly before?: Metrics;
}

/** Time of a part of a step, in seconds. */
export async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const start = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - start) / 1000 };
}

/** The metric with the largest trouble: a loss or gradient norm that is no number; null when all is well. */
export function nonFinite(metrics: Metrics): string | null {
  const bad = ["loss", "optim/grad_norm"].find((key) => !Number.isFinite(metrics[key]));
  return bad === undefined ? null : `${bad} is ${metrics[bad]}`;
}

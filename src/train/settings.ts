/** What a stage's loop is told; keys are spelled as recipes spell them, so a recipe's stage is one of these. */
import type {
  AdvantageName,
  ImportanceSamplingLevel,
  KlEstimator,
  LossType,
  PolicyLossName,
  RewardScaling,
} from "../algorithms/algorithm.ts";
import type { RolloutAlgorithmName } from "../algorithms/index.ts";
import type { OptimStep } from "../engine/engine.ts";
import { type Schedule, scheduleAt } from "./schedule.ts";

export interface OptimizerSettings {
  readonly learning_rate: number;
  readonly lr_scheduler_type: Schedule;
  readonly warmup_steps: number;
  readonly weight_decay: number;
  readonly adam_beta1: number;
  readonly adam_beta2: number;
  readonly adam_epsilon: number;
  readonly max_grad_norm: number;
}

export interface SftSettings extends OptimizerSettings {
  readonly kind: "sft";
  readonly batch_size: number;
  readonly target: "answer" | "rationale_answer";
}

export interface DpoSettings extends OptimizerSettings {
  readonly kind: "dpo";
  readonly batch_size: number;
  readonly beta: number;
  /** How to sample, where pairs come from the policy's own completions. */
  readonly rollouts: GenerationSettings | null;
}

/** How completions are sampled. */
export interface GenerationSettings {
  readonly num_generations: number;
  readonly max_completion_length: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
}

export interface RolloutSettings extends OptimizerSettings, GenerationSettings {
  readonly kind: RolloutAlgorithmName;
  readonly prompts_per_step: number;
  readonly advantage: AdvantageName;
  readonly scale_rewards: RewardScaling;
  /** Replaces groups whose `metric` is the same for all completions by fresh prompts, at most `max_resample` times a step. */
  readonly filter_groups: { readonly metric: string; readonly max_resample: number } | null;
  readonly token_loss: PolicyLossName;
  readonly loss_type: LossType;
  readonly importance_sampling_level: ImportanceSamplingLevel;
  readonly beta: number;
  readonly kl_estimator: KlEstimator;
  readonly epsilon: number;
  readonly epsilon_high: number | null;
  readonly delta: number | null;
  readonly sapo_temperature_pos: number;
  readonly sapo_temperature_neg: number;
  readonly num_iterations: number;
  readonly steps_per_generation: number;
  readonly mask_truncated_completions: boolean;
  readonly entropy_coef: number;
}

/** Optimiser steps on one rollout. */
export function updatesPerStep(settings: Pick<RolloutSettings, "num_iterations" | "steps_per_generation">): number {
  return settings.num_iterations * settings.steps_per_generation;
}

/** The optimiser's numbers at update `update` (from 0) of `updates` in a stage. */
export function optimiserAt(settings: OptimizerSettings, update: number, updates: number): OptimStep {
  const factor = scheduleAt(settings.lr_scheduler_type, update, updates, settings.warmup_steps);
  return {
    learningRate: settings.learning_rate * factor,
    beta1: settings.adam_beta1,
    beta2: settings.adam_beta2,
    epsilon: settings.adam_epsilon,
    weightDecay: settings.weight_decay,
    maxGradNorm: settings.max_grad_norm,
  };
}

/** Reinforcement learning, one step: sample groups, score them, and follow the advantage's gradient. */
import { hasZeroSpread, standardDeviation } from "../algorithms/advantages.ts";
import { advantageEstimators } from "../algorithms/index.ts";
import { meanOf } from "../core/mean.ts";
import type { RolloutGroup } from "../core/records.ts";
import { rewardsAt, type ScheduledReward, type WeightedReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import type { ScoredSample } from "./collect.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { type Sampling, sampleGroups, samplingOptions } from "./sampling.ts";
import type { RolloutSettings } from "./settings.ts";
import { maskOf, updatePolicy } from "./updates.ts";

export interface RolloutStepResult {
  readonly metrics: Metrics;
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  readonly groups: readonly RolloutGroup[];
}

/** One rollout and the optimiser steps on it. */
export async function rolloutStep(
  context: TrainingContext,
  settings: RolloutSettings,
  rewards: readonly ScheduledReward[],
  position: StepPosition,
): Promise<RolloutStepResult> {
  const started = performance.now();
  const sampling = samplingOptions(settings, context.seed, position.step);
  const plan = { sampling, count: settings.prompts_per_step, filter: settings.filter_groups };
  const weighted = rewardsAt(rewards, position.index);
  const sampled = await sampleGroups(context, plan, weighted, position);
  const groups = withAdvantages(sampled.groups, weighted, settings, position);
  const trained = await timed(() => updatePolicy(context, settings, groups, sampling, position));
  const metrics = {
    ...trained.value,
    ...rewardMetrics(groups),
    ...weightMetrics(rewards, weighted),
    ...sampled.counts,
    ...(settings.filter_groups === null ? {} : filterMetrics(sampled)),
    ...completionMetrics(groups),
    ...(settings.mask_truncated_completions ? { "completion/masked_fraction": maskedFraction(groups, settings) } : {}),
    ...timeMetrics(started, sampled, trained.seconds),
  };
  return { metrics, examples: groups.map(({ example }) => example.id), groups };
}

/** Scored samples as the groups of a step, with the stage's advantages. */
export function withAdvantages(
  samples: readonly ScoredSample[],
  rewards: readonly WeightedReward[],
  settings: RolloutSettings,
  { step }: StepPosition,
): readonly RolloutGroup[] {
  const scored = samples.map((sample) => {
    return { ...sample, lengths: sample.completions.map(({ tokenIds }) => tokenIds.length) };
  });
  const weights = Object.fromEntries(rewards.map(({ reward, weight }) => [reward.name, weight]));
  const advantages = advantageEstimators[settings.advantage].advantages(scored, settings, weights);
  return samples.map((sample, i) => ({ id: `${step}/${i}`, ...sample, advantages: advantages[i]! }));
}

/** Of the groups that are learned from; nulls left out. */
export function rewardMetrics(groups: readonly ScoredSample[]): Metrics {
  const known = groups.flatMap(({ reward }) => reward).filter((value) => value !== null);
  const names = Object.keys(groups[0]?.rewards ?? {});
  const byName = names.map((name) => {
    const values = groups.flatMap((group) => group.rewards[name]!).filter((value) => value !== null);
    return [`reward/${name}/mean`, meanOf(values)] as const;
  });
  const zeroSpread = groups.filter(({ reward }) => hasZeroSpread(reward)).length;
  return {
    "reward/mean": meanOf(known),
    "reward/std": standardDeviation(known),
    ...Object.fromEntries(byName),
    "group/zero_std_fraction": groups.length === 0 ? 0 : zeroSpread / groups.length,
  };
}

/** The weight of every reward whose weight moves. */
export function weightMetrics(scheduled: readonly ScheduledReward[], now: readonly WeightedReward[]): Metrics {
  const moving = now.filter((_, i) => typeof scheduled[i]!.weight !== "number");
  return Object.fromEntries(moving.map(({ reward, weight }) => [`reward/${reward.name}/weight`, weight]));
}

/** Dynamic sampling hides what the policy mostly earns: the mean over all that it sampled says it. */
function filterMetrics({ groups, filtered }: Sampling): Metrics {
  const all = [...groups, ...filtered].flatMap(({ reward }) => reward).filter((value) => value !== null);
  return { "reward/sampled_mean": meanOf(all), "group/resampled": filtered.length };
}

export function completionMetrics(groups: readonly Pick<RolloutGroup, "completions">[]): Metrics {
  const completions = groups.flatMap((group) => group.completions);
  const lengths = completions.map(({ tokenIds }) => tokenIds.length);
  const truncated = completions.filter(({ finishReason }) => finishReason === "length").length;
  return {
    "completion/length_mean": meanOf(lengths),
    "completion/length_max": Math.max(0, ...lengths),
    "completion/truncated_fraction": completions.length === 0 ? 0 : truncated / completions.length,
  };
}

function maskedFraction(groups: readonly RolloutGroup[], settings: RolloutSettings): number {
  return meanOf(groups.flatMap((group) => maskOf(group, settings)).map(Number));
}

/** Every sampled token counts for the speed, those of filtered groups too. */
export function timeMetrics(started: number, { groups, filtered, seconds }: Sampling, trainSeconds: number): Metrics {
  const completions = [...groups, ...filtered].flatMap((group) => group.completions);
  const tokens = completions.reduce((total, { tokenIds }) => total + tokenIds.length, 0);
  return {
    "time/sample_s": seconds.sample,
    "time/reward_s": seconds.reward,
    "time/train_s": trainSeconds,
    "time/step_s": (performance.now() - started) / 1000,
    "throughput/tokens_per_second": tokens / seconds.sample,
  };
}

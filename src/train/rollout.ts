/** Reinforcement learning, one step: sample groups, score them, and follow the advantage's gradient. */
import { hasZeroSpread, standardDeviation } from "../algorithms/advantages.ts";
import { advantageShapers } from "../algorithms/index.ts";
import { meanMetric } from "../core/mean.ts";
import type { RolloutGroup } from "../core/records.ts";
import { policyLength } from "../core/segments.ts";
import { rewardsAt, type ScheduledReward, type WeightedReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import { withAdvantages } from "./advantages.ts";
import type { ScoredSample } from "./collect.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { type Sampling, sampleGroups, samplingOptions } from "./sampling.ts";
import type { RolloutSettings } from "./settings.ts";
import { toolMetrics } from "./tool-metrics.ts";
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
  const { stats } = advantageShapers[settings.shaping];
  const sampling = samplingOptions(settings, context.seed, position.step, stats);
  const { prompts_per_step: count, filter_groups: filter, paradigms } = settings;
  const plan = { sampling, count, filter, paradigms };
  const weighted = rewardsAt(rewards, position.index);
  const sampled = await sampleGroups(context, plan, weighted, position);
  const { groups, metrics: shaping } = withAdvantages(context, sampled.groups, weighted, settings, position);
  const trained = await timed(() => updatePolicy(context, settings, groups, sampling, position));
  const metrics = {
    ...trained.value,
    ...rewardMetrics(groups),
    ...weightMetrics(rewards, weighted),
    ...shaping,
    ...sampled.counts,
    ...(settings.filter_groups === null ? {} : filterMetrics(sampled)),
    ...completionMetrics(groups),
    ...toolMetrics(groups, context.tools?.required),
    ...(settings.mask_truncated_completions ? maskedMetric(groups, settings) : {}),
    ...timeMetrics(started, sampled, trained.seconds),
  };
  return { metrics, examples: groups.map(({ example }) => example.id), groups };
}

/** Of the groups that are learned from; nulls left out, and a mean of nulls alone is absent. */
export function rewardMetrics(groups: readonly ScoredSample[]): Metrics {
  const known = groups.flatMap(({ reward }) => reward).filter((value) => value !== null);
  const names = Object.keys(groups[0]?.rewards ?? {});
  const byName = names.map((name) => {
    const values = groups.flatMap((group) => group.rewards[name]!).filter((value) => value !== null);
    return meanMetric(`reward/${name}/mean`, values);
  });
  return {
    ...meanMetric("reward/mean", known),
    ...(known.length === 0 ? {} : { "reward/std": standardDeviation(known) }),
    ...Object.assign({}, ...byName),
    ...meanMetric(
      "group/zero_std_fraction",
      groups.map(({ reward }) => Number(hasZeroSpread(reward))),
    ),
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
  return { ...meanMetric("reward/sampled_mean", all), "group/resampled": filtered.length };
}

export function completionMetrics(groups: readonly Pick<RolloutGroup, "completions">[]): Metrics {
  const completions = groups.flatMap((group) => group.completions);
  const lengths = completions.map(policyLength);
  return {
    ...meanMetric("completion/length_mean", lengths),
    ...(lengths.length === 0 ? {} : { "completion/length_max": Math.max(...lengths) }),
    ...meanMetric(
      "completion/truncated_fraction",
      completions.map(({ finishReason }) => Number(finishReason === "length")),
    ),
  };
}

function maskedMetric(groups: readonly RolloutGroup[], settings: RolloutSettings): Metrics {
  return meanMetric("completion/masked_fraction", groups.flatMap((group) => maskOf(group, settings)).map(Number));
}

/** Every sampled token counts for the speed, those of filtered groups too. */
export function timeMetrics(started: number, { groups, filtered, seconds }: Sampling, trainSeconds: number): Metrics {
  const completions = [...groups, ...filtered].flatMap((group) => group.completions);
  const tokens = completions.reduce((total, completion) => total + policyLength(completion), 0);
  return {
    "time/sample_s": seconds.sample,
    "time/reward_s": seconds.reward,
    "time/train_s": trainSeconds,
    "time/step_s": (performance.now() - started) / 1000,
    "throughput/tokens_per_second": tokens / seconds.sample,
  };
}

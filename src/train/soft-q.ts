/** Soft Q-learning (ETPO, arXiv 2402.06700), one step: a critic values every token, and the policy follows its values. */
import { softTargets, turnTargets } from "../algorithms/etpo.ts";
import { meanMetric } from "../core/mean.ts";
import type { RolloutGroup, SamplingOptions } from "../core/records.ts";
import { policyLength, policyMask, policyValues } from "../core/segments.ts";
import type { SoftBatch, SoftCritic, TrainingGroup } from "../engine/engine.ts";
import { deviceMetrics } from "../engine/optim-step.ts";
import { rewardsAt, type ScheduledReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import type { ScoredSample } from "./collect.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { completionMetrics, type RolloutStepResult, rewardMetrics, timeMetrics, weightMetrics } from "./rollout.ts";
import { sampleGroups, samplingOptions } from "./sampling.ts";
import { optimiserAt, type SoftQSettings } from "./settings.ts";
import { toolMetrics } from "./tool-metrics.ts";

/** One rollout, and one update of policy and critic on it. */
export async function softQStep(
  context: TrainingContext,
  settings: SoftQSettings,
  rewards: readonly ScheduledReward[],
  position: StepPosition,
): Promise<RolloutStepResult> {
  const started = performance.now();
  const sampling = samplingOptions(settings, context.seed, position.step);
  const weighted = rewardsAt(rewards, position.index);
  const plan = { sampling, count: settings.prompts_per_step, filter: null };
  const sampled = await sampleGroups(context, plan, weighted, position);
  const { value, seconds } = await timed(() => updateBoth(context, settings, sampled.groups, sampling, position));
  const { advantages, metrics } = value;
  const groups = sampled.groups.map((sample, i): RolloutGroup => {
    return { id: `${position.step}/${i}`, ...sample, advantages: advantages[i]! };
  });
  return {
    metrics: {
      ...metrics,
      ...rewardMetrics(groups),
      ...weightMetrics(rewards, weighted),
      ...sampled.counts,
      ...completionMetrics(groups),
      ...toolMetrics(groups, context.tools?.required),
      ...timeMetrics(started, sampled, seconds),
    },
    examples: groups.map(({ example }) => example.id),
    groups,
  };
}

/** The advantage that is recorded of a completion is its reward less the soft value of its prompt. */
async function updateBoth(
  { engine, steps }: TrainingContext,
  settings: SoftQSettings,
  samples: readonly ScoredSample[],
  sampling: SamplingOptions,
  { index }: StepPosition,
): Promise<{ readonly metrics: Metrics; readonly advantages: readonly (readonly number[])[] }> {
  const soft: SoftCritic = engine.softCritic!; // without one the recipe was refused
  const { beta, gamma, polyak } = settings;
  const tokens = countTokens(samples);
  const batch = (groups: readonly TrainingGroup[]): SoftBatch => ({ groups, scoring: sampling, beta });
  const own = await soft.policyPass(batch(samples.map((sample) => weighed(sample, tokens))));
  let next = 0;
  const targets = samples.map(({ completions, reward }) =>
    completions.map(({ segments }, i) => {
      const [values, o] = [own.values[next++]!, { reward: reward[i] ?? 0, gamma }];
      return Float32Array.from(segments === undefined ? softTargets(values, o) : turnTargets(values, segments, o));
    }),
  );
  const critic = await soft.criticPass(batch(samples.map((sample, i) => weighed(sample, tokens, targets[i]))));
  const optimiser = optimiserAt(settings, index, steps);
  const scale = optimiser.learningRate / (settings.learning_rate || 1);
  const criticRate = settings.critic_learning_rate ?? settings.learning_rate;
  const norms = await soft.step({
    policy: optimiser,
    critic: { ...optimiser, learningRate: criticRate * scale },
    polyak,
  });
  next = 0;
  const advantages = samples.map(({ completions, reward }) =>
    completions.map((_, i) => {
      const value = own.values[next++]![0] ?? 0;
      return reward[i] === null ? 0 : reward[i]! - value;
    }),
  );
  const completions = samples.flatMap((sample) => sample.completions);
  const all = (lists: readonly Float32Array[]) =>
    lists.flatMap((list, c) => [...policyValues(list, completions[c]!.segments)]);
  const differences = own.logProbs.map((list, c) => list.map((value, t) => value - completions[c]!.logProbs[t]!));
  const apart = all(differences).map(Math.abs);
  return {
    advantages,
    metrics: {
      loss: own.loss,
      "critic/loss": critic.loss,
      ...meanMetric("critic/soft_value", all(own.values)),
      ...meanMetric("critic/value", all(critic.values)),
      ...meanMetric("critic/target", all(targets.flat())),
      ...meanMetric("policy/entropy", all(own.entropies)),
      "critic/grad_norm": norms.critic.gradNorm,
      "optim/grad_norm": norms.policy.gradNorm,
      ...deviceMetrics([norms.policy, norms.critic]),
      "optim/learning_rate": optimiser.learningRate,
      ...(apart.length === 0 ? {} : { "sampler/logprob_diff_max": Math.max(...apart) }),
    },
  };
}

/** Tokens of the policy in the completions that have a reward. */
function countTokens(samples: readonly ScoredSample[]): number {
  const rewarded = samples.flatMap(({ completions, reward }) => completions.filter((_, i) => reward[i] !== null));
  return Math.max(
    1,
    rewarded.reduce((sum, completion) => sum + policyLength(completion), 0),
  );
}

/** Each token of the policy weighs the same, and nothing in a completion without a reward. */
function weighed(
  { prompt, completions, reward }: ScoredSample,
  tokens: number,
  targets?: readonly Float32Array[],
): TrainingGroup {
  return {
    prompt,
    completions: completions.map(({ tokenIds, segments, images = [] }, i) => ({
      tokenIds,
      weight: reward[i] === null ? 0 : 1 / tokens,
      advantage: targets?.[i] ?? 0,
      ...(segments === undefined ? {} : { mask: policyMask(segments), images }),
    })),
  };
}

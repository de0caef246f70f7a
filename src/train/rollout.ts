/** Reinforcement learning, one step: sample groups, score them, and follow the advantage's gradient. */
import { hasZeroSpread, standardDeviation } from "../algorithms/advantages.ts";
import { rolloutAlgorithms } from "../algorithms/index.ts";
import { questionMessages } from "../answers/prompts.ts";
import type { Completion, Example, Prompt, RolloutGroup, SamplingOptions } from "../core/records.ts";
import type { ForwardBackwardResult, TokenBatch, TokenScores, TrainingGroup } from "../engine/engine.ts";
import { scoreGroup, type WeightedReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import { batchAt, encodeExamples } from "./batches.ts";
import { mean, type StepPosition, type TrainingContext, timed } from "./context.ts";
import { optimiserAt, type RolloutSettings } from "./settings.ts";

export interface RolloutStepResult {
  readonly metrics: Metrics;
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  readonly groups: readonly RolloutGroup[];
}

/** One rollout and the optimiser steps on it (`num_iterations`). */
export async function rolloutStep(
  context: TrainingContext,
  settings: RolloutSettings,
  rewards: readonly WeightedReward[],
  position: StepPosition,
): Promise<RolloutStepResult> {
  const started = performance.now();
  const sampling: SamplingOptions = {
    numGenerations: settings.num_generations,
    maxCompletionLength: settings.max_completion_length,
    temperature: settings.temperature,
    topP: settings.top_p,
    topK: settings.top_k,
    seed: context.seed,
    step: position.step,
  };
  const sampled = await timed(() => rollOut(context, settings, sampling, position));
  const scored = await timed(() => scoreAll(sampled.value, rewards, settings, position));
  const groups = scored.value;
  const trained = await timed(() => learn(context, settings, groups, sampling, position));
  const completions = groups.flatMap((group) => group.completions);
  const tokens = completions.reduce((total, { tokenIds }) => total + tokenIds.length, 0);
  const metrics = {
    ...trained.value,
    ...rewardMetrics(groups),
    ...completionMetrics(completions),
    "time/sample_s": sampled.seconds,
    "time/reward_s": scored.seconds,
    "time/train_s": trained.seconds,
    "time/step_s": (performance.now() - started) / 1000,
    "throughput/tokens_per_second": tokens / sampled.seconds,
  };
  return { metrics, examples: groups.map(({ example }) => example.id), groups };
}

interface Sampled {
  readonly example: Example;
  readonly prompt: Prompt;
  readonly completions: readonly Completion[];
}

async function rollOut(
  context: TrainingContext,
  settings: RolloutSettings,
  sampling: SamplingOptions,
  { index }: StepPosition,
): Promise<readonly Sampled[]> {
  const { engine, processor, prompt } = context;
  const examples = batchAt(context.examples, { ...context, step: index, count: settings.prompts_per_step });
  const encode = (example: Example) => processor.encode(questionMessages(example, prompt));
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  const completions = new Map<number, readonly Completion[]>();
  const prompts = encoded.map((item) => item.prompt);
  for await (const result of engine.policy.sample(prompts, sampling)) completions.set(result.index, result.completions);
  return encoded.map((item, i) => ({ ...item, completions: completions.get(i)! }));
}

async function scoreAll(
  sampled: readonly Sampled[],
  rewards: readonly WeightedReward[],
  settings: RolloutSettings,
  { step }: StepPosition,
): Promise<readonly RolloutGroup[]> {
  const scores = await Promise.all(sampled.map((item) => scoreGroup(rewards, item.example, item.completions)));
  const advantages = rolloutAlgorithms[settings.kind].advantages(
    scores.map(({ reward }) => reward),
    { scaleRewards: settings.scale_rewards },
  );
  return sampled.map((item, i) => ({ id: `${step}/${i}`, ...item, ...scores[i]!, advantages: advantages[i]! }));
}

/** All optimiser steps on one rollout; the metrics are the last one's, but for the sampler check, which is the first's. */
async function learn(
  context: TrainingContext,
  settings: RolloutSettings,
  groups: readonly RolloutGroup[],
  sampling: SamplingOptions,
  { index }: StepPosition,
): Promise<Metrics> {
  const { engine } = context;
  const training = toTrainingGroups(groups, settings);
  const usesReference = settings.beta > 0;
  const reference = usesReference ? await engine.reference!.logProbs(training, sampling) : null;
  const batch: TokenBatch = {
    groups: reference === null ? training : withReference(training, reference),
    scoring: sampling,
    loss: {
      name: rolloutAlgorithms[settings.kind].tokenLoss,
      variant: {
        onPolicy: settings.num_iterations === 1,
        klEstimator: usesReference ? settings.kl_estimator : null,
      },
      numbers: {
        beta: settings.beta,
        epsilonLow: settings.epsilon,
        epsilonHigh: settings.epsilon_high ?? settings.epsilon,
        delta: settings.delta ?? Number.POSITIVE_INFINITY,
      },
    },
  };
  const old = groups.flatMap(({ completions }) => completions.map(({ logProbs }) => logProbs));
  const updates = context.steps * settings.num_iterations;
  let metrics: Metrics = {};
  let samplerDifference = 0;
  for (let iteration = 0; iteration < settings.num_iterations; iteration++) {
    const optimiser = optimiserAt(settings, index * settings.num_iterations + iteration, updates);
    const forward = await engine.forwardBackward(batch);
    const { gradNorm } = await engine.optimStep(optimiser);
    if (iteration === 0) samplerDifference = largestDifference(forward.logProbs, old);
    metrics = {
      loss: forward.loss,
      ...policyMetrics(forward, old, reference, batch.loss.numbers),
      "optim/grad_norm": gradNorm,
      "optim/learning_rate": optimiser.learningRate,
    };
  }
  return { ...metrics, "sampler/logprob_diff_max": samplerDifference };
}

function toTrainingGroups(groups: readonly RolloutGroup[], settings: RolloutSettings): TrainingGroup[] {
  const completions = groups.flatMap((group) => group.completions);
  const weights = rolloutAlgorithms[settings.kind].tokenWeights(
    completions.map(({ tokenIds }) => tokenIds.length),
    completions.map(({ finishReason }) => settings.mask_truncated_completions && finishReason === "length"),
    { lossType: settings.loss_type, maxCompletionLength: settings.max_completion_length },
  );
  let next = 0;
  return groups.map(({ prompt, completions: own, advantages }) => ({
    prompt,
    completions: own.map(({ tokenIds, logProbs }, i) => {
      return { tokenIds, oldLogProbs: logProbs, weight: weights[next++]!, advantage: advantages[i]! };
    }),
  }));
}

function withReference(groups: readonly TrainingGroup[], reference: TokenScores): TrainingGroup[] {
  let next = 0;
  return groups.map(({ prompt, completions }) => ({
    prompt,
    completions: completions.map((completion) => ({ ...completion, refLogProbs: reference.logProbs[next++]! })),
  }));
}

function rewardMetrics(groups: readonly RolloutGroup[]): Metrics {
  const known = groups.flatMap(({ reward }) => reward).filter((value) => value !== null);
  const names = Object.keys(groups[0]?.rewards ?? {});
  const byName = names.map((name) => {
    const values = groups.flatMap((group) => group.rewards[name]!).filter((value) => value !== null);
    return [`reward/${name}/mean`, mean(values)] as const;
  });
  const zeroSpread = groups.filter(({ reward }) => hasZeroSpread(reward)).length;
  return {
    "reward/mean": mean(known),
    "reward/std": standardDeviation(known),
    ...Object.fromEntries(byName),
    "group/zero_std_fraction": groups.length === 0 ? 0 : zeroSpread / groups.length,
  };
}

function completionMetrics(completions: readonly Completion[]): Metrics {
  const lengths = completions.map(({ tokenIds }) => tokenIds.length);
  const truncated = completions.filter(({ finishReason }) => finishReason === "length").length;
  return {
    "completion/length_mean": mean(lengths),
    "completion/length_max": Math.max(0, ...lengths),
    "completion/truncated_fraction": completions.length === 0 ? 0 : truncated / completions.length,
  };
}

/** Over all completion tokens: entropy, share of ratios outside the clip range, and KL to the reference (k3). */
function policyMetrics(
  forward: ForwardBackwardResult,
  old: readonly Float32Array[],
  reference: TokenScores | null,
  clip: { readonly epsilonLow: number; readonly epsilonHigh: number },
): Metrics {
  let tokens = 0;
  let clipped = 0;
  let kl = 0;
  for (const [i, logProbs] of forward.logProbs.entries()) {
    for (const [t, logProb] of logProbs.entries()) {
      const ratio = Math.exp(logProb - old[i]![t]!);
      if (ratio < 1 - clip.epsilonLow || ratio > 1 + clip.epsilonHigh) clipped++;
      const difference = reference === null ? 0 : reference.logProbs[i]![t]! - logProb;
      kl += Math.exp(difference) - difference - 1;
      tokens++;
    }
  }
  return {
    "policy/entropy": mean(forward.entropies.flatMap((entropies) => [...entropies])),
    "policy/clip_fraction": clipped / Math.max(1, tokens),
    ...(reference === null ? {} : { "policy/kl": kl / Math.max(1, tokens) }),
  };
}

function largestDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let most = 0;
  for (const [i, values] of a.entries()) {
    for (const [t, value] of values.entries()) most = Math.max(most, Math.abs(value - b[i]![t]!));
  }
  return most;
}

/** Direct preference optimisation (arXiv 2305.18290), one step: chosen completions gain on rejected ones, against a reference. */
import { hasZeroSpread } from "../algorithms/advantages.ts";
import { plainVariant } from "../algorithms/algorithm.ts";
import { type PairScores, preferenceLoss } from "../algorithms/dpo.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import { encodeQuestion } from "../answers/prompts.ts";
import { meanOf } from "../core/mean.ts";
import type { Example, Prompt, RolloutGroup } from "../core/records.ts";
import { plainScoring, type TokenScores, type TrainingGroup } from "../engine/engine.ts";
import { rewardsAt, type ScheduledReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import { batchAt, encodeExamples } from "./batches.ts";
import type { ScoredSample } from "./collect.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { completionMetrics, rewardMetrics, timeMetrics, weightMetrics } from "./rollout.ts";
import { sampleGroups, samplingOptions } from "./sampling.ts";
import { type DpoSettings, optimiserAt } from "./settings.ts";

/** Two whole assistant turns, without the end-of-turn token, and which is better. */
export interface PreferencePair {
  readonly example: Example;
  readonly chosen: string;
  readonly rejected: string;
}

/** Where pairs come from: a list, or the policy's own completions under rewards. */
export type PairSource =
  | { readonly pairs: readonly PreferencePair[] }
  | { readonly rewards: readonly ScheduledReward[] };

export interface DpoStepResult {
  readonly metrics: Metrics;
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  /** What was sampled; the advantage of the chosen completion is 1, of the rejected one −1. */
  readonly groups: readonly RolloutGroup[];
}

interface TokenPair {
  readonly prompt: Prompt;
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
}

/** What a step learns from, and what its making tells. */
interface PairBatch extends Omit<DpoStepResult, "metrics"> {
  readonly pairs: readonly TokenPair[];
  metrics(started: number, trainSeconds: number): Metrics;
}

/** One optimiser step on the pairs of this position. */
export async function dpoStep(
  context: TrainingContext,
  settings: DpoSettings,
  source: PairSource,
  position: StepPosition,
): Promise<DpoStepResult> {
  const started = performance.now();
  const batch =
    "pairs" in source
      ? await givenPairs(context, settings, source.pairs, position)
      : await sampledPairs(context, settings, source.rewards, position);
  const { value, seconds } = await timed(() => updateOnPairs(context, settings, batch.pairs, position));
  return { ...batch, metrics: { ...value, ...batch.metrics(started, seconds) } };
}

async function givenPairs(
  context: TrainingContext,
  { batch_size }: DpoSettings,
  pairs: readonly PreferencePair[],
  { index }: StepPosition,
): Promise<PairBatch> {
  const { processor, prompt } = context;
  const byId = new Map(pairs.map((pair) => [pair.example.id, pair]));
  const examples = batchAt(
    pairs.map(({ example }) => example),
    { ...context, step: index, count: batch_size },
  );
  const encode = (example: Example) => encodeQuestion(processor, example, prompt);
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  return {
    pairs: encoded.map((item) => {
      const { chosen, rejected } = byId.get(item.example.id)!;
      const turn = (text: string) => processor.encodeCompletion(text);
      return { prompt: item.prompt, chosen: turn(chosen), rejected: turn(rejected) };
    }),
    examples: encoded.map(({ example }) => example.id),
    groups: [],
    metrics: (started, trainSeconds) => ({
      "time/train_s": trainSeconds,
      "time/step_s": (performance.now() - started) / 1000,
    }),
  };
}

async function sampledPairs(
  context: TrainingContext,
  { batch_size, rollouts }: DpoSettings,
  rewards: readonly ScheduledReward[],
  position: StepPosition,
): Promise<PairBatch> {
  const sampling = samplingOptions(rollouts!, context.seed, position.step);
  const weighted = rewardsAt(rewards, position.index);
  const sampled = await sampleGroups(context, { sampling, count: batch_size, filter: null }, weighted, position);
  const groups = withRanks(sampled.groups, position);
  const pairs = groups.flatMap(({ prompt, completions, advantages }) => {
    const [chosen, rejected] = [1, -1].map((sign) => completions[advantages.indexOf(sign)]?.tokenIds);
    return chosen === undefined || rejected === undefined ? [] : [{ prompt, chosen, rejected }];
  });
  return {
    pairs,
    examples: groups.map(({ example }) => example.id),
    groups,
    metrics: (started, trainSeconds) => ({
      "preference/ties": groups.length - pairs.length,
      ...rewardMetrics(groups),
      ...weightMetrics(rewards, weighted),
      ...sampled.counts,
      ...completionMetrics(groups),
      ...timeMetrics(started, sampled, trainSeconds),
    }),
  };
}

/** Scored samples as the groups of a step; in place of advantages 1 for the best, −1 for the worst. */
export function withRanks(samples: readonly ScoredSample[], { step }: StepPosition): readonly RolloutGroup[] {
  return samples.map((sample, i) => ({ id: `${step}/${i}`, ...sample, advantages: bestAndWorst(sample) }));
}

/** 1 for the first of the best, −1 for the first of the worst, 0 for the rest and in ties. */
function bestAndWorst({ reward }: ScoredSample): readonly number[] {
  if (hasZeroSpread(reward)) return reward.map(() => 0);
  const known = reward.filter((value) => value !== null);
  const [best, worst] = [Math.max(...known), Math.min(...known)].map((value) => reward.indexOf(value));
  return reward.map((_, i) => (i === best ? 1 : i === worst ? -1 : 0));
}

/**
 * The loss is no sum over tokens, but its gradient is one: of −A·logp with A = ±1 and the weight βσ(−margin)/B, which a pass
 * without gradients gives first.
 */
async function updateOnPairs(
  { engine, steps }: TrainingContext,
  settings: DpoSettings,
  pairs: readonly TokenPair[],
  { index }: StepPosition,
): Promise<Metrics> {
  const groups = pairs.map(({ prompt, chosen, rejected }): TrainingGroup => {
    return { prompt, completions: [chosen, rejected].map((tokenIds) => ({ tokenIds, weight: 0, advantage: 0 })) };
  });
  const policy = await engine.policy.logProbs(groups, plainScoring);
  const reference = await engine.reference!.logProbs(groups, plainScoring);
  const { loss, weights, rewards } = preferenceLoss(pairScores(policy, reference), settings.beta);
  const forward = await engine.forwardBackward({
    groups: groups.map(({ prompt, completions }, i) => ({
      prompt,
      completions: completions.map(({ tokenIds }, role) => {
        return { tokenIds, weight: weights[i]!, advantage: role === 0 ? 1 : -1 };
      }),
    })),
    scoring: plainScoring,
    loss: { name: "reinforce", variant: plainVariant, numbers: defaultLossNumbers },
  });
  const optimiser = optimiserAt(settings, index, steps);
  const { gradNorm } = await engine.optimStep(optimiser);
  const margins = rewards.map(({ chosen, rejected }) => chosen - rejected);
  return {
    loss,
    "preference/pairs": pairs.length,
    "preference/reward_chosen": meanOf(rewards.map(({ chosen }) => chosen)),
    "preference/reward_rejected": meanOf(rewards.map(({ rejected }) => rejected)),
    "preference/margin": meanOf(margins),
    "preference/accuracy": meanOf(margins.map((margin) => Number(margin > 0))),
    "policy/entropy": meanOf(forward.entropies.flatMap((entropies) => [...entropies])),
    "optim/grad_norm": gradNorm,
    "optim/learning_rate": optimiser.learningRate,
  };
}

/** Completions alternate: chosen, rejected. */
function pairScores(policy: TokenScores, reference: TokenScores): PairScores[] {
  const sums = ({ logProbs }: TokenScores) => logProbs.map((values) => values.reduce((a, b) => a + b, 0));
  const [own, theirs] = [sums(policy), sums(reference)];
  return Array.from({ length: own.length / 2 }, (_, i) => ({
    chosen: own[2 * i]! - theirs[2 * i]!,
    rejected: own[2 * i + 1]! - theirs[2 * i + 1]!,
  }));
}

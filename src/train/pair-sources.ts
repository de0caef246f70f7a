/** Where the pairs of a step come from: a list, or the policy's own completions under rewards. */
import { type BalancedPair, pairwiseAlgorithm } from "../algorithms/pairwise/index.ts";
import { countWords } from "../answers/length-limits.ts";
import { encodeQuestion } from "../answers/prompts.ts";
import { randomKey } from "../core/random.ts";
import type { Example, RolloutGroup } from "../core/records.ts";
import { rewardsAt, type ScheduledReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import { batchAt, encodeExamples } from "./batches.ts";
import type { ScoredSample } from "./collect.ts";
import type { StepPosition, TrainingContext } from "./context.ts";
import { type EncodedPair, hasRows } from "./pair-rows.ts";
import { preferredPair } from "./preferred-pair.ts";
import { completionMetrics, rewardMetrics, timeMetrics, weightMetrics } from "./rollout.ts";
import { sampleGroups, samplingOptions } from "./sampling.ts";
import type { PairRolloutSettings, PairSettings } from "./settings.ts";

/** Two whole assistant turns, without the end-of-turn token, and which is better. */
export interface PreferencePair {
  readonly example: Example;
  readonly chosen: string;
  readonly rejected: string;
}

/** A list whose pairs have a row in every role of the stage, or rewards of the stage's rollouts. */
export type PairSource =
  | { readonly pairs: readonly PreferencePair[] }
  | { readonly rewards: readonly ScheduledReward[] };

/** What a step learns from, and what its making tells. */
export interface PairBatch {
  readonly pairs: readonly EncodedPair[];
  /** All pairs that the lengths of this batch's are balanced over. */
  readonly balanceOver: readonly BalancedPair[];
  /** Examples whose images may stand in for another's. */
  readonly others: readonly Example[];
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  /** What was sampled; the advantage of the chosen completion is 1, of the rejected one −1. */
  readonly groups: readonly RolloutGroup[];
  metrics(started: number, trainSeconds: number): Metrics;
}

/** Lengths of a pair's texts, as pairs are balanced by. */
export function lengthsOf({ chosen, rejected }: Readonly<Record<"chosen" | "rejected", string>>): BalancedPair {
  return { chosen: countWords(chosen), rejected: countWords(rejected) };
}

/** The pairs of this position. */
export function pairsAt(
  context: TrainingContext,
  settings: PairSettings,
  source: PairSource,
  position: StepPosition,
): Promise<PairBatch> {
  return "pairs" in source
    ? givenPairs(context, settings, source.pairs, position)
    : sampledPairs(context, settings, source.rewards, position);
}

async function givenPairs(
  context: TrainingContext,
  { batch_size }: PairSettings,
  pairs: readonly PreferencePair[],
  { index }: StepPosition,
): Promise<PairBatch> {
  const { processor, prompt, seed, stage } = context;
  const byId = new Map(pairs.map((pair) => [pair.example.id, pair]));
  const pool = pairs.map(({ example }) => example);
  const batch = batchAt(pool, { ...context, step: index, count: batch_size });
  // A copy each: a batch larger than the file holds an example twice, in two epochs.
  const epochs = new Map(
    batch.map((example, i) => [{ ...example }, Math.floor((index * batch_size + i) / pool.length)] as const),
  );
  const encode = (example: Example) => encodeQuestion(processor, example, prompt);
  const encoded = await encodeExamples([...epochs.keys()], encode, context.onBadImage, context.onSkip);
  return {
    pairs: encoded.map(({ example, prompt }) => {
      const { chosen, rejected } = byId.get(example.id)!;
      const turn = (text: string) => ({ text, tokenIds: processor.encodeCompletion(text) });
      const key = randomKey(seed, "pair", stage, epochs.get(example)!, example.id);
      return { example, prompt, chosen: turn(chosen), rejected: turn(rejected), key };
    }),
    balanceOver: pairs.map(lengthsOf),
    others: pool,
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
  { kind, batch_size, rollouts }: PairSettings,
  rewards: readonly ScheduledReward[],
  position: StepPosition,
): Promise<PairBatch> {
  const { seed, stage } = context;
  const sampling = samplingOptions(rollouts!, seed, position.step);
  const weighted = rewardsAt(rewards, position.index);
  const sampled = await sampleGroups(context, { sampling, count: batch_size, filter: null }, weighted, position);
  const groups = withRanks(sampled.groups, position, rollouts!);
  const ranked = groups.flatMap(({ example, prompt, completions, advantages }): readonly EncodedPair[] => {
    const [chosen, rejected] = [1, -1].map((sign) => completions[advantages.indexOf(sign)]);
    if (chosen === undefined || rejected === undefined) return [];
    return [{ example, prompt, chosen, rejected, key: randomKey(seed, "pair", stage, position.step, example.id) }];
  });
  const pairs = ranked.filter((pair) => hasRows(pairwiseAlgorithm(kind).roles, textsOf(pair)));
  return {
    pairs,
    balanceOver: pairs.map((pair) => lengthsOf(textsOf(pair))),
    others: context.examples,
    examples: groups.map(({ example }) => example.id),
    groups,
    metrics: (started, trainSeconds) => ({
      "preference/ties": groups.length - ranked.length,
      ...(pairs.length === ranked.length ? {} : { "preference/too_short": ranked.length - pairs.length }),
      ...rewardMetrics(groups),
      ...weightMetrics(rewards, weighted),
      ...sampled.counts,
      ...completionMetrics(groups),
      ...timeMetrics(started, sampled, trainSeconds),
    }),
  };
}

export function textsOf({ chosen, rejected }: EncodedPair): Readonly<Record<"chosen" | "rejected", string>> {
  return { chosen: chosen.text, rejected: rejected.text };
}

/** Which completions of a group are a pair; without anything, the best and the worst. */
type PairChoice = Partial<Pick<PairRolloutSettings, "min_gap" | "correct">>;

/** Scored samples as the groups of a step; in place of advantages 1 for the chosen, −1 for the rejected, 0 for the others. */
export function withRanks(
  samples: readonly ScoredSample[],
  { step }: StepPosition,
  { min_gap = 0, correct = null }: PairChoice = {},
): readonly RolloutGroup[] {
  return samples.map((sample, i) => {
    const { reward, rewards } = sample;
    const right = correct === null ? [] : rewards[correct]!;
    const pair = preferredPair(reward, { minGap: min_gap, right });
    const advantages = reward.map((_, i) => (i === pair?.chosen ? 1 : i === pair?.rejected ? -1 : 0));
    return { id: `${step}/${i}`, ...sample, advantages };
  });
}

/** Rewards that measure themselves on the policy that a stage begins with, before its first step. */
import { randomKey, uint32 } from "../core/random.ts";
import type { ScheduledReward } from "../rewards/index.ts";
import { batchAt } from "./batches.ts";
import type { ScoredSample } from "./collect.ts";
import type { TrainingContext } from "./context.ts";
import { openRewardLog } from "./reward-log.ts";
import { samplingOptions } from "./sampling.ts";
import type { GenerationSettings } from "./settings.ts";

/** What a reward measured, by its name. */
export type RewardStates = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Prompts that are sampled at a time. */
const PROMPTS = 8;

/**
 * Samples as many completions as the stage's rewards ask for, on its questions and with draws of their own, and lets the rewards
 * measure them. Equal weights give equal measures.
 */
export async function calibrateRewards(
  context: Pick<TrainingContext, "collect" | "examples" | "seed" | "stage">,
  settings: GenerationSettings,
  rewards: readonly ScheduledReward[],
): Promise<RewardStates> {
  const asking = rewards.flatMap(({ reward }) => (reward.calibration === undefined ? [] : [reward]));
  if (asking.length === 0) return {};
  const completions = Math.max(...asking.map(({ calibration }) => calibration!.completions));
  const seed = uint32(randomKey(context.seed, "calibrate", context.stage), 0);
  const prompts = Math.ceil(completions / settings.num_generations);
  const examples = batchAt(context.examples, { ...context, seed, step: 0, count: prompts });
  const samples: ScoredSample[] = [];
  for (let i = 0; i < prompts; i += PROMPTS) {
    const sampling = { ...samplingOptions(settings, seed, i), trainsNext: false };
    const request = { sampling, rewards: [], log: openRewardLog() };
    samples.push(...(await context.collect(examples.slice(i, i + PROMPTS), request)).samples);
  }
  for (const { calibration } of asking) await calibration!.measure(samples);
  return rewardStates(rewards);
}

/** What rewards have measured so far. */
export function rewardStates(rewards: readonly ScheduledReward[]): RewardStates {
  const found = rewards.map(({ reward }) => [reward.name, reward.calibration?.state() ?? null] as const);
  return Object.fromEntries(found.flatMap(([name, state]) => (state === null ? [] : [[name, state]])));
}

/** Gives rewards what they had measured. */
export function restoreRewards(rewards: readonly ScheduledReward[], states: RewardStates): void {
  for (const { reward } of rewards) {
    const state = states[reward.name];
    if (state !== undefined) reward.calibration?.restore(state);
  }
}

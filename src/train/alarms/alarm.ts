/** What an alarm is: a value measured over the last steps of a stage that should not pass a threshold, and what to do if it does. */
import type { ScheduledReward } from "../../rewards/index.ts";
import type { Metrics } from "../../runs/metrics.ts";
import type { RolloutRecord } from "../rollout-records.ts";

/** A step as the run's record has it, and nothing else: a resumed run sees what the first one saw. */
export interface ObservedStep {
  readonly step: number;
  readonly metrics: Metrics;
  readonly groups: readonly ObservedGroup[];
}

/** What the rules read of a line of rollouts.jsonl. */
export type ObservedGroup = Pick<RolloutRecord, "id" | "answer" | "answer_type" | "choices" | "answer_index"> & {
  readonly completions: readonly ObservedCompletion[];
};

export type ObservedCompletion = Pick<
  RolloutRecord["completions"][number],
  "tokens" | "finish_reason" | "parsed_answer" | "rewards" | "reward"
>;

/** What the rules know of a reward. */
export interface WatchedReward {
  readonly name: string;
  /** The value that cannot be bettered; null where the reward declares no range. */
  readonly best: number | null;
  /** Length is what it is about. */
  readonly measuresLength: boolean;
}

/** When a rule fires. */
export interface AlarmSettings {
  /** Steps it looks back on; it is silent before so many. */
  readonly window: number;
  /** Rings at this value and beyond. */
  readonly threshold: number;
  /** Re-arms once the value passes this. */
  readonly clear: number;
}

/** A value of one subject, and what it says if it is too much. */
export interface Measurement {
  /** A reward or an answer type, where the rule looks at several; else null. */
  readonly subject: string | null;
  readonly value: number;
  /** The value in words. */
  readonly message: string;
  /** Ids of rollout groups to look at, the latest first. */
  readonly evidence: readonly string[];
  readonly advice: string;
}

export interface AlarmRule {
  /** Which side of the threshold is wrong. */
  readonly fires: "above" | "below";
  readonly defaults: AlarmSettings;
  /** Measures a stage so far, at least `window` steps. Groups older than the window may be missing. */
  measure(steps: readonly ObservedStep[], window: number, rewards: readonly WatchedReward[]): readonly Measurement[];
}

/** The rewards as rules see them; where a weight moves, its end decides which values are good. */
export function watchedRewards(rewards: readonly ScheduledReward[]): readonly WatchedReward[] {
  return rewards.map(({ reward: { name, range, measuresLength = false }, weight }) => {
    const sign = typeof weight === "number" ? weight : weight.to;
    return { name, best: range?.[sign < 0 ? 0 : 1] ?? null, measuresLength };
  });
}

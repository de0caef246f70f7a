/** The alarms by the name a recipe gives them. */
import type { AlarmRule } from "./alarm.ts";
import { dominantAnswer } from "./dominant-answer.ts";
import { lengthCollapse, lengthExplosion } from "./length-change.ts";
import { lengthOverAccuracy } from "./length-over-accuracy.ts";
import { entropyHigh, entropyLow, klHigh } from "./policy-range.ts";
import { rewardCollapse } from "./reward-collapse.ts";
import { rewardStuck } from "./reward-stuck.ts";
import { rewardUnread } from "./reward-unread.ts";
import { logprobDifference } from "./sampler.ts";
import { truncated } from "./truncation.ts";
import { zeroVariance } from "./zero-variance.ts";

export { type AlarmSettings, type ObservedGroup, type ObservedStep, watchedRewards } from "./alarm.ts";
export { type Alarm, type AlarmWatch, openAlarms } from "./watch.ts";

export const alarmRules = {
  zero_variance: zeroVariance,
  truncated,
  reward_collapse: rewardCollapse,
  reward_stuck: rewardStuck,
  reward_unread: rewardUnread,
  length_explosion: lengthExplosion,
  length_collapse: lengthCollapse,
  kl_high: klHigh,
  entropy_low: entropyLow,
  entropy_high: entropyHigh,
  logprob_difference: logprobDifference,
  dominant_answer: dominantAnswer,
  length_over_accuracy: lengthOverAccuracy,
} as const satisfies Readonly<Record<string, AlarmRule>>;

export type AlarmName = keyof typeof alarmRules;

/** Groups whose completions all earn the same have no gradient; when nearly all are like that, training stalls. */
import { hasZeroSpread } from "../../algorithms/advantages.ts";
import { wholePercent } from "../../core/percent.ts";
import type { AlarmRule } from "./alarm.ts";
import { evidence, lastSteps, short, windowMean } from "./window.ts";

export const zeroVariance: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.9, clear: 0.75 },
  measure(steps, window) {
    const value = windowMean(steps, window, "group/zero_std_fraction");
    if (value === null) return [];
    const reward = short(windowMean(steps, window, "reward/mean") ?? 0);
    return [
      {
        subject: null,
        value,
        message: `in ${wholePercent(value)} of the groups of ${lastSteps(window)} all completions earned the same, so they taught nothing (mean reward ${reward})`,
        evidence: evidence(steps.slice(-window), ({ completions }) => hasZeroSpread(completions.map((c) => c.reward))),
        advice:
          "If the reward is near its best the questions are learnt: use harder ones or stop. If it is low, the policy never succeeds: train supervised first, use easier questions or a reward that gives part of the point. Otherwise raise num_generations or temperature, or set filter_groups.",
      },
    ];
  },
};

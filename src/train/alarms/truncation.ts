/** Completions cut at the limit have no answer to reward, whatever they were about to say. */
import { wholePercent } from "../../core/percent.ts";
import type { AlarmRule } from "./alarm.ts";
import { evidence, lastSteps, windowMean } from "./window.ts";

export const truncated: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.5, clear: 0.3 },
  measure(steps, window) {
    const value = windowMean(steps, window, "completion/truncated_fraction");
    if (value === null) return [];
    return [
      {
        subject: null,
        value,
        message: `${wholePercent(value)} of the completions of ${lastSteps(window)} were cut at max_completion_length`,
        evidence: evidence(steps.slice(-window), ({ completions }) =>
          completions.some(({ finish_reason }) => finish_reason === "length"),
        ),
        advice:
          "Raise max_completion_length, or teach the policy to end: a supervised stage, the reward soft_overlong, or mask_truncated_completions so that cut ones are no lesson. Look whether completions repeat themselves.",
      },
    ];
  },
};

/** A reward that was earned once and is earned no more. */
import { meanOf } from "../../core/mean.ts";
import type { AlarmRule, ObservedStep } from "./alarm.ts";
import { evidence, metricOf, short } from "./window.ts";

/** Mean and variance of the rewards of single completions over a window of steps that count alike. */
interface Level {
  readonly mean: number;
  readonly variance: number;
}

export const rewardCollapse: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.75, clear: 0.4 },
  /** The fall from the stage's best window before this one, in standard deviations of both windows' rewards together: at most 2. */
  measure(steps, window) {
    if (steps.length < 2 * window) return [];
    const now = level(steps.slice(-window));
    let best: Level | null = null;
    for (let end = window; end <= steps.length - window; end++) {
      const then = level(steps.slice(end - window, end));
      if (best === null || then.mean > best.mean) best = then;
    }
    const fall = best!.mean - now.mean;
    const deviation = Math.sqrt((best!.variance + now.variance) / 2 + (fall / 2) ** 2);
    const value = deviation === 0 ? 0 : fall / deviation;
    return [
      {
        subject: null,
        value,
        message: `the mean reward of ${window} steps fell from its best, ${short(best!.mean)}, to ${short(now.mean)}, by ${short(value)} standard deviations`,
        evidence: evidence(steps.slice(-1)),
        advice:
          "Go back to a checkpoint before the fall and go on with a lower learning_rate or max_grad_norm, or a beta above 0. Read the rollouts: a reward whose weight moves, or harder questions, would explain it too.",
      },
    ];
  },
};

function level(steps: readonly ObservedStep[]): Level {
  const of = (key: string) => steps.map(({ metrics }) => metricOf(metrics, key) ?? 0);
  const means = of("reward/mean");
  const center = meanOf(means);
  const within = meanOf(of("reward/std").map((deviation) => deviation ** 2));
  return { mean: center, variance: within + meanOf(means.map((value) => (value - center) ** 2)) };
}

/** Completions that become many times longer or shorter than they were when the stage began. */
import type { AlarmRule } from "./alarm.ts";
import { evidence, short, windowMean } from "./window.ts";

export const lengthExplosion = lengthRule(
  "above",
  { window: 10, threshold: 3, clear: 2 },
  "See whether length pays (a reward like ecr, a judge that likes long texts) or whether completions repeat themselves (reward repetition). soft_overlong, cosine or kimi hold length down; loss_type dr_grpo makes long wrong answers no cheaper.",
);

export const lengthCollapse = lengthRule(
  "below",
  { window: 10, threshold: 1 / 3, clear: 1 / 2 },
  "See whether the reasoning has gone: a short completion may earn as much as a reasoned one. Reward the reasoning (semantic, cwr) or the form (format). Where short answers are wanted, switch this alarm off.",
);

function lengthRule(fires: AlarmRule["fires"], defaults: AlarmRule["defaults"], advice: string): AlarmRule {
  return {
    fires,
    defaults,
    measure(steps, window) {
      if (steps.length < 2 * window) return [];
      const now = windowMean(steps, window, "completion/length_mean");
      const first = windowMean(steps.slice(0, window), window, "completion/length_mean");
      if (now === null || first === null || first === 0) return [];
      const value = now / first;
      const message = `completions have ${short(now)} tokens, ${short(value)} times the ${short(first)} of the stage's first ${window} steps`;
      return [{ subject: null, value, message, evidence: evidence(steps.slice(-1)), advice }];
    },
  };
}

/** A reward that gives (nearly) every completion the same value, and not its best one, trains nothing. */
import { wholePercent } from "../../core/percent.ts";
import type { AlarmRule, ObservedCompletion, WatchedReward } from "./alarm.ts";
import { completionsOf, evidence, lastSteps, short } from "./window.ts";

/** The commonest value of a reward, null where it mostly does not apply, and the share of completions that have it. */
export interface CommonestValue {
  readonly value: number | null;
  readonly share: number;
}

export const rewardStuck: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.99, clear: 0.95 },
  measure(steps, window, rewards) {
    const recent = steps.slice(-window);
    const completions = completionsOf(recent.flatMap(({ groups }) => groups));
    return rewards.map(({ name, best }) => {
      const common = commonestValue(completions.map((completion) => completion.rewards[name] ?? null));
      return {
        subject: name,
        value: isBest(common.value, best) ? 0 : common.share,
        message: `${name} was ${common.value === null ? "null" : short(common.value)} for ${wholePercent(common.share)} of the ${completions.length} completions of ${lastSteps(window)}`,
        evidence: evidence(recent, (group) =>
          group.completions.some(({ rewards: given }) => (given[name] ?? null) === common.value),
        ),
        advice: stuckAdvice(common.value, completions),
      };
    });
  },
};

export function commonestValue(values: readonly (number | null)[]): CommonestValue {
  const counts = new Map<number | null, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let commonest: CommonestValue = { value: null, share: 0 };
  for (const [value, count] of counts) {
    const share = count / values.length;
    if (share > commonest.share) commonest = { value, share };
  }
  return commonest;
}

/** Sums of floating-point numbers may miss the end of a range by their rounding. */
export function isBest(value: number | null, best: WatchedReward["best"]): boolean {
  return value !== null && best !== null && Math.abs(value - best) <= 1e-9 * Math.max(1, Math.abs(best));
}

/** What may be behind it, by what the completions show. */
export function stuckAdvice(value: number | null, completions: readonly ObservedCompletion[]): string {
  const share = (test: (completion: ObservedCompletion) => boolean) =>
    completions.filter(test).length / Math.max(1, completions.length);
  const cut = share(({ finish_reason }) => finish_reason === "length");
  const answered = share(({ parsed_answer }) => parsed_answer !== null);
  const hints = [
    ...(value === null ? ["It applies to no example: does the data have what it compares with?"] : []),
    ...(cut >= 0.5 ? [`${wholePercent(cut)} of the completions are cut: raise max_completion_length.`] : []),
    ...(answered < 0.5
      ? [
          `${wholePercent(answered)} have an answer in the form that the prompt asks for: teach the form with a supervised stage, or choose another prompt.`,
        ]
      : []),
  ];
  if (hints.length > 0) return hints.join(" ");
  return "Read the rollouts: does the reward ask for what the prompt asks for (its style, an opened <think>)? A stronger start, easier questions or a reward with parts of a point would let completions differ.";
}

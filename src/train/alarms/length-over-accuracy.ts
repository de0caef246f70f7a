/** A reward that follows the length of completions more than their being right pays for the wrong thing. */
import { centredCorrelation, deviations, judgeGroup } from "../../rewards/within-groups.ts";
import type { AlarmRule, Measurement, ObservedCompletion } from "./alarm.ts";
import { commonestValue } from "./reward-stuck.ts";
import { evidence, lastSteps, short } from "./window.ts";

/** Fewer completions say nothing about a correlation. */
const FEWEST = 64;

/** A reward that differs from its commonest value more rarely is no guide to length: a few odd completions would decide. */
const RAREST = 0.1;

export const lengthOverAccuracy: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.3, clear: 0.15 },
  /** |correlation with length| less the correlation with being right, of the sum and of each reward that is not about length. */
  measure(steps, window, rewards) {
    const recent = steps.slice(-window);
    const groups = recent.flatMap((step) => step.groups.map(judgeGroup<ObservedCompletion>));
    const compare = (subject: string | null, read: (c: ObservedCompletion) => number | null): Measurement[] => {
      const { given, reward, length, correct } = deviations(groups, read);
      if (given.length < FEWEST) return [];
      const varies = 1 - commonestValue(given).share >= RAREST;
      const withLength = varies ? centredCorrelation(reward, length) : 0;
      const withCorrect = varies ? Math.max(0, centredCorrelation(reward, correct)) : 0;
      const name = subject ?? "the weighted sum of the rewards";
      return [
        {
          subject,
          value: Math.abs(withLength) - withCorrect,
          message: `${name} correlates with length by ${short(withLength)} and with right answers by ${short(withCorrect)} within the groups of ${lastSteps(window)}`,
          evidence: evidence(recent.slice(-1)),
          advice:
            "The policy will learn length. Raise the weight of accuracy, gate the other rewards by it (cwr in place of ecr, gate_by_format), lower the weight of the reward named here, or, if it is a judge, tell it in its prompt not to mind length.",
        },
      ];
    };
    const judged = rewards.filter(({ measuresLength }) => !measuresLength);
    return [
      ...compare(null, ({ reward }) => reward),
      ...judged.flatMap(({ name }) => compare(name, ({ rewards: given }) => given[name] ?? null)),
    ];
  },
};

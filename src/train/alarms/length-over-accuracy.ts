/** A reward that follows the length of completions more than their being right pays for the wrong thing. */
import { matchAnswer } from "../../answers/match.ts";
import { meanOf } from "../../core/mean.ts";
import type { AlarmRule, Measurement, ObservedCompletion, ObservedGroup } from "./alarm.ts";
import { commonestValue } from "./reward-stuck.ts";
import { evidence, lastSteps, short } from "./window.ts";

/** Fewer completions say nothing about a correlation. */
const FEWEST = 64;

/** A reward that differs from its commonest value more rarely is no guide to length: a few odd completions would decide. */
const RAREST = 0.1;

/** Completions that were not cut, with whether they are right. */
interface JudgedGroup {
  readonly completions: readonly { readonly completion: ObservedCompletion; readonly correct: number }[];
}

export const lengthOverAccuracy: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.3, clear: 0.15 },
  /** |correlation with length| less the correlation with being right, of the sum and of each reward that is not about length. */
  measure(steps, window, rewards) {
    const recent = steps.slice(-window);
    const groups = recent.flatMap((step) => step.groups.map(judge));
    const compare = (subject: string | null, read: (c: ObservedCompletion) => number | null): Measurement[] => {
      const { given, reward, length, correct } = deviations(groups, read);
      if (given.length < FEWEST) return [];
      const varies = 1 - commonestValue(given).share >= RAREST;
      const withLength = varies ? correlation(reward, length) : 0;
      const withCorrect = varies ? Math.max(0, correlation(reward, correct)) : 0;
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

/** Completions that were cut are left out: they are long and wrong for one and the same reason. */
function judge({ answer_type, answer, choices, answer_index, completions }: ObservedGroup): JudgedGroup {
  const question = { answerType: answer_type, answer, choices, answerIndex: answer_index ?? undefined };
  const whole = completions.filter(({ finish_reason }) => finish_reason !== "length");
  return {
    completions: whole.map((completion) => {
      const { correct } = matchAnswer(question, completion.parsed_answer?.text ?? null);
      return { completion, correct: Number(correct) };
    }),
  };
}

/** Values as given, and deviations from the group's mean, which are what advantages see. */
function deviations(groups: readonly JudgedGroup[], read: (completion: ObservedCompletion) => number | null) {
  const all = { given: [] as number[], reward: [] as number[], length: [] as number[], correct: [] as number[] };
  for (const { completions } of groups) {
    const rows = completions.flatMap(({ completion, correct }) => {
      const reward = read(completion);
      return reward === null ? [] : [{ reward, length: completion.tokens, correct }];
    });
    all.given.push(...rows.map(({ reward }) => reward));
    for (const key of ["reward", "length", "correct"] as const) {
      const center = meanOf(rows.map((row) => row[key]));
      all[key].push(...rows.map((row) => row[key] - center));
    }
  }
  return all;
}

/** Pearson's, of values whose mean is 0; 0 where one of them does not vary. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const [aa, bb] = [dot(a, a), dot(b, b)];
  const rounding = 1e-18 * a.length;
  return aa <= rounding || bb <= rounding ? 0 : dot(a, b) / Math.sqrt(aa * bb);
}

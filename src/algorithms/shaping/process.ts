/**
 * Process rewards: what a completion's parts earn, beside what its outcome earns (PLPF, arXiv 2401.05695; the advantage of a
 * token is that of DeepSeekMath, arXiv 2402.03300, section 4.1.3).
 */
import { number, oneOf, text } from "../../core/fields.ts";
import { meanOf } from "../../core/mean.ts";
import { EPSILON, groupRelativeAdvantages, hasZeroSpread, standardDeviation } from "../advantages.ts";
import { defineShaper, type ScoredGroup, type TokenStep } from "../algorithm.ts";

const IDLE = "must keep its default: only shaping process reads it";

export const process = defineShaper({
  options: {
    process: oneOf("steps", "scalar")
      .default("steps")
      .describe("With shaping process: each token has what it and later parts earn, or all tokens have the reward."),
    process_reward: text("the name of a reward").default("checklist").describe("The reward whose parts are read."),
    outcome_weight: number({ min: 0 }).default(1).describe("Weight of the outcome's advantage beside the parts'."),
  },
  idle: {
    process: { value: "steps", error: IDLE },
    process_reward: { value: "checklist", error: IDLE },
    outcome_weight: { value: 1, error: IDLE },
  },
  stats: [],
  rewardKeys: ["process_reward"],
  shape(groups, advantages, { process: form, process_reward: reward, outcome_weight: weight }) {
    return {
      advantages: groups.map((group, g) => {
        const outcome = advantages[g]!.map((advantage) => weight * advantage);
        if (form === "scalar") {
          const [own] = groupRelativeAdvantages([group.rewards[reward]!], { scaleRewards: "group" });
          return outcome.map((advantage, i) => advantage + own![i]!);
        }
        const tokens = stepAdvantages(stepsOf(group, reward), group.lengths);
        return tokens.map((values, i) => Float32Array.from(values, (value) => outcome[i]! + value));
      }),
    };
  },
});

/**
 * Per token: the sum of its group's z-scored part scores over the parts that end at it or later. 0 throughout where all
 * parts of the group earn the same.
 */
export function stepAdvantages(steps: readonly (readonly TokenStep[])[], lengths: readonly number[]): number[][] {
  const scores = steps.flat().map(({ score }) => score);
  const scale = hasZeroSpread(scores) ? 0 : 1 / (standardDeviation(scores) + EPSILON);
  const mean = meanOf(scores);
  return steps.map((own, i) => {
    const values = new Array<number>(lengths[i]!).fill(0);
    for (const { end, score } of own) values[end]! += (score - mean) * scale;
    for (let t = values.length - 2; t >= 0; t--) values[t]! += values[t + 1]!;
    return values;
  });
}

/**
 * A completion without parts has one that earned nothing, at its end: saying nothing is no way around them. One to which the
 * reward does not apply has none.
 */
function stepsOf({ tokens, lengths, rewards }: ScoredGroup, reward: string): readonly (readonly TokenStep[])[] {
  return lengths.map((length, i) => {
    if (length === 0 || rewards[reward]![i] === null) return [];
    const own = tokens![i]!.steps(reward);
    return own.length > 0 ? own : [{ end: length - 1, score: 0 }];
  });
}

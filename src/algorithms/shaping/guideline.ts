/**
 * Guideline-based advantages (after MMedExpert-R1; the formula is ours): completions of a question compete by their outcome in
 * whatever way they reason, and by how well they follow its rules only with those that reason in the same way.
 */
import { number, text } from "../../core/fields.ts";
import { groupRelativeAdvantages } from "../advantages.ts";
import { defineShaper, type GroupRewards } from "../algorithm.ts";

const IDLE = "must keep its default: only shaping guideline reads it";

export const guideline = defineShaper({
  options: {
    guideline_gamma: number({ min: 0 }).default(0.5).describe("Weight of adherence, with shaping guideline."),
    guideline_reward: text("the name of a reward")
      .default("checklist")
      .describe("The reward that says how well rules are followed, in shaping guideline."),
  },
  idle: {
    guideline_gamma: { value: 0.5, error: IDLE },
    guideline_reward: { value: "checklist", error: IDLE },
  },
  stats: [],
  rewardKeys: ["guideline_reward"],
  shape(groups, advantages, { guideline_gamma: gamma, guideline_reward: reward }) {
    return {
      advantages: groups.map((group, g) => {
        const adherence = withinVariants(group.rewards[reward]!, group.variants ?? []);
        return advantages[g]!.map((advantage, i) => advantage + gamma * adherence[i]!);
      }),
    };
  },
});

/** (a − mean)/(std + 1e-4) among the completions of the same variant; 0 for nulls. Completions without variants are of one. */
export function withinVariants(scores: GroupRewards, variants: readonly string[]): number[] {
  const found = new Array<number>(scores.length).fill(0);
  const names = scores.map((_, i) => variants[i] ?? "");
  for (const name of new Set(names)) {
    const own = [...scores.keys()].filter((i) => names[i] === name);
    const [values] = groupRelativeAdvantages([own.map((i) => scores[i]!)], { scaleRewards: "group" });
    for (const [k, i] of own.entries()) found[i] = values![k]!;
  }
  return found;
}

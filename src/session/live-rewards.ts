/**
 * What a run's own rewards say of answers that a page asked for. Nothing that the recipe names is executed, called over a
 * network or opened as a second model: such rewards are left out, each with its reason.
 */
import { RunError, UserError } from "../core/errors.ts";
import type { LiveScores } from "../core/live-answers.ts";
import type { Completion, Example } from "../core/records.ts";
import type { Recipe } from "../recipes/schema.ts";
import { needsOf } from "../recipes/stage-kinds.ts";
import {
  buildRewards,
  combineRewards,
  type RewardContext,
  type RewardServices,
  type Scores,
  scoreGroup,
  type WeightedReward,
  weightAt,
} from "../rewards/index.ts";
import { openRewardServices, openVocabulary } from "./reward-services.ts";

export interface LiveRewards {
  /** A group's completions, each by every reward that can be asked here. */
  score(example: Example, completions: readonly Completion[]): Promise<readonly Omit<LiveScores, "noFacts">[]>;
  close(): Promise<void>;
}

const refuse = (what: string) => (): never => {
  throw new UserError(`${what} from a page`);
};

/** The rewards of the last stage that samples, weighted as at its end; null where none does. */
export async function openLiveRewards(
  recipe: Recipe,
  known: Pick<RewardContext, "style" | "thinkOpened" | "trainTargets">,
): Promise<LiveRewards | null> {
  const generation = recipe.stages.map((stage) => needsOf(stage).generation).findLast((found) => found !== null);
  if (generation === undefined || generation === null) return null;
  const opened = openRewardServices("");
  const services: RewardServices = {
    ...opened,
    openChat: refuse("a judge is not called"),
    openScorer: refuse("a reward model is not opened"),
  };
  const context = { ...known, maxCompletionLength: generation.max_completion_length, services };
  const weighted: WeightedReward[] = [];
  const unasked: Record<string, string> = {};
  for (const [name, given] of Object.entries(generation.rewards)) {
    try {
      if (typeof given === "object" && "module" in given) refuse("a module of one's own is not run")();
      const vocabulary = openVocabulary(recipe.vocabulary);
      const [{ reward, weight }] = (await buildRewards({ [name]: given }, { ...context, vocabulary })) as [never];
      weighted.push({ reward, weight: weightAt(weight, Number.POSITIVE_INFINITY) });
    } catch (error) {
      unasked[name] = reasonOf(error);
    }
  }
  return {
    async score(example, completions) {
      const found: Record<string, Scores> = {};
      const failed: Record<string, string> = {};
      for (const one of weighted) {
        try {
          Object.assign(found, (await scoreGroup([one], example, completions)).rewards);
        } catch (error) {
          failed[one.reward.name] = reasonOf(error);
        }
      }
      const asked = weighted.filter(({ reward }) => found[reward.name] !== undefined);
      const weights = Object.fromEntries(asked.map(({ reward, weight }) => [reward.name, weight]));
      const left = { ...unasked, ...failed };
      const total = Object.keys(left).length === 0 ? combineRewards(found, weights) : [];
      const evidence = asked.map(({ reward }) => reward.evidence?.(example, completions) ?? []);
      return completions.map((_, i) => ({
        rewards: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, values[i]!])),
        reward: total[i] ?? null,
        evidence: evidence.flatMap((byCompletion) => byCompletion[i] ?? []),
        ...{ weights, unasked: left },
      }));
    },
    close: opened.close,
  };
}

/** A reward that cannot be asked leaves the others be; anything but a mistake or a failed scorer is a bug. */
function reasonOf(error: unknown): string {
  if (error instanceof UserError || error instanceof RunError) return error.message;
  throw error;
}

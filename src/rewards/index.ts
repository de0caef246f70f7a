/** The rewards a recipe can name, and how a group's values become one number per completion. */
import { RunError, UserError } from "../core/errors.ts";
import type { Completion, Example } from "../core/records.ts";
import { nearest } from "../core/suggest.ts";
import { accuracy } from "./accuracy.ts";
import { format } from "./format.ts";
import type { Reward, RewardContext, Scores } from "./reward.ts";

export type { Reward, RewardContext, Scores } from "./reward.ts";

/** By name: factories that take the options of the recipe and what the run knows. */
export const rewards = { accuracy, format } as const;

export interface WeightedReward {
  readonly reward: Reward;
  readonly weight: number;
}

/** As a recipe writes it: `{ accuracy: 1.0, format: { weight: 0.5, style: tags } }`. A weight of 0 records without training. */
export type RewardSpec = Readonly<Record<string, number | ({ readonly weight: number } & Record<string, unknown>)>>;

/** Builds the rewards of a recipe; throws UserError for an unknown name (with the nearest known one), option or weight. */
export function buildRewards(spec: RewardSpec, context: RewardContext = {}): readonly WeightedReward[] {
  return Object.entries(spec).map(([name, value]) => {
    const { weight, ...options } = typeof value === "object" && value !== null ? value : { weight: value };
    if (!Number.isFinite(weight)) {
      throw new UserError(`reward "${name}": the weight must be a finite number, got ${weight}`);
    }
    return { reward: factory(name)(options, context), weight };
  });
}

export interface GroupScores {
  /** By reward name. */
  readonly rewards: Readonly<Record<string, Scores>>;
  /** Weighted sum per completion, null where every reward was null. */
  readonly reward: Scores;
}

/** Scores a group with every reward at once; throws RunError when a reward breaks its promise of finite values. */
export async function scoreGroup(
  weighted: readonly WeightedReward[],
  example: Example,
  completions: readonly Completion[],
): Promise<GroupScores> {
  const scored = await Promise.all(weighted.map(({ reward }) => reward.score(example, completions)));
  for (const [i, scores] of scored.entries())
    checkScores(weighted[i]!.reward.name, scores, example, completions.length);
  const byName = Object.fromEntries(weighted.map(({ reward }, i) => [reward.name, scored[i]!]));
  const weights = Object.fromEntries(weighted.map(({ reward, weight }) => [reward.name, weight]));
  return { rewards: byName, reward: combineRewards(byName, weights) };
}

/** Weighted sum per completion; null values are skipped, all null gives null. A reward without a weight is an error. */
export function combineRewards(
  scores: Readonly<Record<string, Scores>>,
  weights: Readonly<Record<string, number>>,
): Scores {
  const rows = Object.entries(scores).map(([name, values]) => {
    const weight = weights[name];
    if (weight === undefined) throw new Error(`internal: combineRewards: no weight for reward "${name}"`);
    return { weight, values };
  });
  return Array.from({ length: rows[0]?.values.length ?? 0 }, (_, i) => {
    const known = rows.filter(({ values }) => values[i] !== null);
    return known.length === 0 ? null : known.reduce((sum, { weight, values }) => sum + weight * values[i]!, 0);
  });
}

function factory(name: string): (options: object, context: RewardContext) => Reward {
  if (Object.hasOwn(rewards, name)) return rewards[name as keyof typeof rewards];
  const names = Object.keys(rewards);
  const near = nearest(name, names);
  const hint = near === null ? "" : ` (did you mean "${near}"?)`;
  throw new UserError(`unknown reward "${name}"${hint}; known rewards: ${names.join(", ")}`);
}

function checkScores(name: string, scores: Scores, example: Example, count: number): void {
  if (scores.length !== count) {
    throw new RunError(`reward "${name}": gave ${scores.length} values for ${count} completions of "${example.id}"`);
  }
  const bad = scores.findIndex((score) => score !== null && !Number.isFinite(score));
  if (bad >= 0) throw new RunError(`reward "${name}": gave ${scores[bad]} for completion ${bad} of "${example.id}"`);
}

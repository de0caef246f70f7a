/** The rewards a recipe can name, and how a group's values become one number per completion. */
import { RunError, UserError } from "../core/errors.ts";
import type { Completion, Example } from "../core/records.ts";
import { requireNamed } from "../core/suggest.ts";
import { customReward } from "./custom.ts";
import type { Reward, RewardContext, RewardLog, ScoredSteps, Scores } from "./reward.ts";
import { rewards } from "./table.ts";
import { readWeight, type ScheduledReward, type Weight, type WeightedReward } from "./weights.ts";

export type { RewardFactory } from "./options.ts";
export type {
  Chat,
  ChatSettings,
  CompletionScorer,
  Reward,
  RewardContext,
  RewardLog,
  RewardServices,
  ScoredSteps,
  Scores,
  SentenceEncoder,
} from "./reward.ts";
export { rewards } from "./table.ts";
export { rewardsAt, type ScheduledReward, type Weight, type WeightedReward, weightAt } from "./weights.ts";

/**
 * As a recipe writes it: `{ accuracy: 1.0, format: { weight: 0.5, style: tags } }`. A weight of 0 records without training.
 * The key is the reward's name unless `reward` names one (for a second use of it) or `module` is the path of your own module.
 */
export type RewardSpec = Readonly<Record<string, number | ({ readonly weight: Weight } & Record<string, unknown>)>>;

/** Builds the rewards of a recipe; throws UserError for an unknown name (with the nearest known one), option or weight. */
export async function buildRewards(spec: RewardSpec, context: RewardContext = {}): Promise<readonly ScheduledReward[]> {
  return Promise.all(
    Object.entries(spec).map(async ([name, value]) => {
      const { weight, ...options } = typeof value === "object" && value !== null ? value : { weight: value };
      return { weight: readWeight(name, weight), reward: await buildReward(name, options, context) };
    }),
  );
}

export interface GroupScores {
  /** By reward name. */
  readonly rewards: Readonly<Record<string, Scores>>;
  /** Weighted sum per completion, null where every reward was null. */
  readonly reward: Scores;
  /** What parts of the completions earned, by reward; of those rewards that score parts. */
  readonly steps?: Readonly<Record<string, ScoredSteps["steps"]>>;
}

/** Scores a group with every reward at once; throws RunError when a reward breaks its promise of values in its range. */
export async function scoreGroup(
  weighted: readonly WeightedReward[],
  example: Example,
  completions: readonly Completion[],
  log?: (reward: string) => RewardLog,
): Promise<GroupScores> {
  const steps: Record<string, ScoredSteps["steps"]> = {};
  const score = async ({ reward }: WeightedReward) => {
    const own = log?.(reward.name);
    if (reward.scoreSteps === undefined) return reward.score(example, completions, own);
    const scored = await reward.scoreSteps(example, completions, own);
    steps[reward.name] = scored.steps;
    return scored.scores;
  };
  const scored = await Promise.all(weighted.map(score));
  for (const [i, scores] of scored.entries()) checkScores(weighted[i]!.reward, scores, example, completions.length);
  const byName = Object.fromEntries(weighted.map(({ reward }, i) => [reward.name, scored[i]!]));
  const weights = Object.fromEntries(weighted.map(({ reward, weight }) => [reward.name, weight]));
  const parts = Object.keys(steps).length === 0 ? {} : { steps };
  return { rewards: byName, reward: combineRewards(byName, weights), ...parts };
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

async function buildReward(name: string, given: object, context: RewardContext): Promise<Reward> {
  const { module, reward, ...options } = given as { readonly module?: unknown; readonly reward?: unknown };
  if (module !== undefined) {
    if (typeof module !== "string") throw new UserError(`reward "${name}": module must be the path of a file`);
    return renamed(await customReward(name, module, options, context), name);
  }
  if (reward !== undefined && typeof reward !== "string") {
    throw new UserError(`reward "${name}": reward must be the name of a reward`);
  }
  const known = requireNamed("reward", reward ?? name, rewards, "; one of your own needs module, its path");
  return renamed(await rewards[known](options as never, context), name);
}

/** The same reward under the recipe's name for it, in its evidence too. */
function renamed(reward: Reward, name: string): Reward {
  const { evidence } = reward;
  if (evidence === undefined) return { ...reward, name };
  return {
    ...reward,
    name,
    evidence: (example, completions) =>
      evidence(example, completions).map((found) => found.map((item) => ({ ...item, reward: name }))),
  };
}

/** A value that is no number of JavaScript's kind looks like one without its type: "1", 1n, [1]. */
function shown(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (Array.isArray(value)) return `${JSON.stringify(value)}, a list,`;
  if (value instanceof Promise) return "a promise, which the module must await,";
  const kind = typeof value === "object" ? "an object" : `a ${typeof value}`;
  return `${typeof value === "string" ? JSON.stringify(value) : String(value)}, ${kind},`;
}

/** Sums of floating-point numbers may leave a range by their rounding. */
const ROUNDING = 1e-9;

function checkScores({ name, range }: Reward, scores: Scores, example: Example, count: number): void {
  const at = (i: number) => `for completion ${i} of "${example.id}"`;
  if (scores.length !== count) {
    throw new RunError(`reward "${name}": gave ${scores.length} values for ${count} completions of "${example.id}"`);
  }
  const bad = scores.findIndex((score) => score !== null && !Number.isFinite(score));
  if (bad >= 0) throw new RunError(`reward "${name}": gave ${shown(scores[bad])} ${at(bad)}`);
  if (range === undefined) return;
  const slack = ROUNDING * Math.max(1, ...range.map(Math.abs));
  const outside = scores.findIndex((score) => score !== null && (score < range[0] - slack || score > range[1] + slack));
  if (outside < 0) return;
  throw new RunError(`reward "${name}": gave ${scores[outside]} ${at(outside)}, outside [${range.join(", ")}]`);
}

/** Rewards that are weighted sums of others, as papers define them: plain data, one reward to the recipe and the record. */
import { UserError } from "../core/errors.ts";
import type { Evidence } from "../core/records.ts";
import type { Reward, RewardContext } from "./reward.ts";
import { singleRewards } from "./table.ts";

export interface CompositePart {
  readonly reward: keyof typeof singleRewards;
  readonly weight: number;
}

/** By name. `crpo`: 10 for the answer, 1 for the form and 0.5 more for prose beside the answer, 0.5 for English; 12 at most. */
export const composites = {
  crpo: [
    { reward: "accuracy", weight: 10 },
    { reward: "format", weight: 1 },
    { reward: "answer_prose", weight: 0.5 },
    { reward: "english", weight: 0.5 },
  ],
} as const satisfies Readonly<Record<string, readonly CompositePart[]>>;

/**
 * A factory for the sum; its options are its parts' options by part (`crpo: { weight: 1, accuracy: { lenient: true } }`).
 * A part that is null is left out of the sum.
 */
export function composite(name: string, parts: readonly CompositePart[]) {
  return async (options: object = {}, context: RewardContext = {}): Promise<Reward> => {
    const given = options as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(given).find((key) => !parts.some(({ reward }) => reward === key));
    if (unknown !== undefined) {
      const known = parts.map(({ reward }) => reward).join(", ");
      throw new UserError(`reward "${name}": unknown option "${unknown}"; it takes the options of its parts ${known}`);
    }
    const made = await Promise.all(
      parts.map(async (part) => {
        const reward = await singleRewards[part.reward]((given[part.reward] ?? {}) as never, context);
        return { ...part, made: reward };
      }),
    );
    const bound = (side: 0 | 1) =>
      made.reduce((sum, { made: { range }, weight }) => sum + weight * (range?.[side] ?? Number.NaN), 0);
    return {
      name,
      range: [bound(0), bound(1)],
      score: async (example, completions, log) => {
        const scores = await Promise.all(made.map((part) => part.made.score(example, completions, log)));
        return completions.map((_, i) => made.reduce((sum, { weight }, k) => sum + weight * (scores[k]![i] ?? 0), 0));
      },
      evidence: (example, completions) => {
        const found = made.map((part) => part.made.evidence?.(example, completions) ?? []);
        return completions.map((_, i) => found.flatMap((byCompletion): readonly Evidence[] => byCompletion[i] ?? []));
      },
    };
  };
}

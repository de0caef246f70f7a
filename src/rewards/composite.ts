/** Rewards that are weighted sums of others, as papers define them: one reward to the recipe and the record. */
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { Evidence } from "../core/records.ts";
import type { RewardFactory } from "./options.ts";
import type { Reward, RewardContext } from "./reward.ts";

export interface CompositePart {
  readonly reward: RewardFactory;
  readonly weight: number;
}

/**
 * A factory for the sum of parts; its options are its parts' options by part (`crpo: { weight: 1, accuracy: { lenient: true } }`).
 * A part that is null is left out of the sum.
 */
export function composite(name: string, parts: Readonly<Record<string, CompositePart>>) {
  const factory = async (options: object = {}, context: RewardContext = {}): Promise<Reward> => {
    const given = options as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(given).find((key) => !Object.hasOwn(parts, key));
    if (unknown !== undefined) {
      const known = Object.keys(parts).join(", ");
      throw new UserError(`reward "${name}": unknown option "${unknown}"; it takes the options of its parts ${known}`);
    }
    const made = await Promise.all(
      Object.entries(parts).map(async ([key, { reward, weight }]) => {
        return { weight, made: await reward((given[key] ?? {}) as never, context) };
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
  const options = z.object(Object.fromEntries(Object.keys(parts).map((key) => [key, z.looseObject({}).optional()])));
  return Object.assign(factory, { options });
}

/** Medical semantic alignment of the reasoning, by one of three scorers that can stand for each other. */
import { UserError } from "../../core/errors.ts";
import type { Reward, RewardContext } from "../reward.ts";
import { concepts } from "./concepts.ts";
import { embedding } from "./embedding.ts";
import { judge } from "./judge.ts";

const scorers = { judge, embedding, concepts } as const;

/** Throws UserError where no scorer is named: none is a default, for each needs something else. */
export async function semantic(options: object = {}, context: RewardContext = {}): Promise<Reward> {
  const { scorer, ...own } = options as { readonly scorer?: unknown };
  if (typeof scorer !== "string" || !Object.hasOwn(scorers, scorer)) {
    const names = Object.keys(scorers).join(", ");
    throw new UserError(
      `reward "semantic": scorer must be one of ${names}, got ${JSON.stringify(scorer) ?? "nothing"}`,
    );
  }
  return scorers[scorer as keyof typeof scorers](own as never, context);
}

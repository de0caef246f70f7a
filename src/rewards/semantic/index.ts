/** Medical semantic alignment of the reasoning, by one of three scorers that can stand for each other. */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import { nameIn } from "../../core/fields.ts";
import type { Reward, RewardContext } from "../reward.ts";
import { concepts } from "./concepts.ts";
import { embedding } from "./embedding.ts";
import { judge } from "./judge.ts";

const scorers = { judge, embedding, concepts } as const;

/** The options of all scorers, none of which every scorer has; each checks its own. */
const options = z.object({
  scorer: nameIn(scorers),
  ...Object.assign({}, ...Object.values(scorers).map(({ options }) => options.partial().shape)),
});

/** Throws UserError where no scorer is named: none is a default, for each needs something else. */
async function scored(options: object = {}, context: RewardContext = {}): Promise<Reward> {
  const { scorer, ...own } = options as { readonly scorer?: unknown };
  if (typeof scorer !== "string" || !Object.hasOwn(scorers, scorer)) {
    const names = Object.keys(scorers).join(", ");
    throw new UserError(
      `reward "semantic": scorer must be one of ${names}, got ${JSON.stringify(scorer) ?? "nothing"}`,
    );
  }
  return scorers[scorer as keyof typeof scorers](own as never, context);
}

const paths = Object.values(scorers).flatMap((scorer) => scorer.paths);

export const semantic = Object.assign(scored, { options, paths });

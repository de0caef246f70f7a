/** The rewards that are no sums of others, by the name a recipe gives them. */
import { accuracy } from "./accuracy.ts";
import { answerProse } from "./answer-prose.ts";
import { cosine } from "./cosine.ts";
import { cwr } from "./cwr.ts";
import { ecr } from "./ecr.ts";
import { english } from "./english.ts";
import { facts } from "./facts.ts";
import { format } from "./format.ts";
import { kimi } from "./kimi.ts";
import { repetition } from "./repetition.ts";
import type { Reward, RewardContext } from "./reward.ts";
import { semantic } from "./semantic/index.ts";
import { softOverlong } from "./soft-overlong.ts";

/** Makes a reward of a recipe's options; throws UserError for options it cannot use. */
export type RewardFactory = (options: never, context: RewardContext) => Reward | Promise<Reward>;

export const singleRewards = {
  accuracy,
  answer_prose: answerProse,
  cosine,
  cwr,
  ecr,
  english,
  facts,
  format,
  kimi,
  repetition,
  semantic,
  soft_overlong: softOverlong,
} as const satisfies Readonly<Record<string, RewardFactory>>;

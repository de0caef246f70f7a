/** The rewards by the name a recipe gives them: a new one is a file and a line here. */
import { accuracy } from "./accuracy.ts";
import { answerProse } from "./answer-prose.ts";
import { checklist } from "./checklist/index.ts";
import { choiceSet } from "./choice-set.ts";
import { cosine } from "./cosine.ts";
import { crpo } from "./crpo.ts";
import { cwr } from "./cwr.ts";
import { ecr } from "./ecr.ts";
import { english } from "./english.ts";
import { facts } from "./facts.ts";
import { format } from "./format.ts";
import { kimi } from "./kimi.ts";
import { numeric } from "./numeric.ts";
import type { RewardFactory } from "./options.ts";
import { rationale } from "./rationale.ts";
import { repetition } from "./repetition.ts";
import { rewardModel } from "./reward-model.ts";
import { semantic } from "./semantic/index.ts";
import { softOverlong } from "./soft-overlong.ts";
import { survival } from "./survival.ts";
import { survivalStatus } from "./survival-status.ts";
import { toolUse } from "./tool-use.ts";

export const rewards = {
  accuracy,
  answer_prose: answerProse,
  checklist,
  choice_set: choiceSet,
  cosine,
  crpo,
  cwr,
  ecr,
  english,
  facts,
  format,
  kimi,
  numeric,
  rationale,
  repetition,
  reward_model: rewardModel,
  semantic,
  soft_overlong: softOverlong,
  survival,
  survival_status: survivalStatus,
  tool_use: toolUse,
} as const satisfies Readonly<Record<string, RewardFactory>>;

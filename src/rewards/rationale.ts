/**
 * How far the reasoning goes along with the reference reasoning: ROUGE-L F1 of their words (OncoReason, arXiv 2510.17532; as a
 * reward it is ours). Null where the data has no reference. Values in [0, 1].
 */
import { z } from "zod";
import { normalisedTokens } from "../answers/normalise.ts";
import { rougeL } from "../answers/overlap.ts";
import { parseRationale } from "../answers/rationale.ts";
import { answerStyles } from "../answers/tags.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const rationaleOptions = z.object({ style: z.enum(answerStyles).optional() });

export const rationale = defineReward("rationale", rationaleOptions, (given, context): Reward => {
  const style = given.style ?? context.style ?? "think_answer";
  return {
    name: "rationale",
    range: [0, 1],
    score: (example, completions) => {
      const reference = normalisedTokens(example.rationale ?? "");
      if (reference.length === 0) return completions.map(() => null);
      return completions.map(({ text }) => {
        const said = parseRationale(text, style);
        return said === null ? 0 : rougeL(normalisedTokens(said.text), reference);
      });
    },
  };
});

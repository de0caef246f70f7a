/**
 * The answer, the form and the use of tools. `deepeyes` pays 1.2 for any right answer with a call (DeepEyes, arXiv 2505.14362,
 * its public code): 0.8 acc − 0.2 format error + 1.2 (call and right), so useless calls pay too. viva's own default pays for a
 * call only where the example says that tools are needed (`meta.needs_tools: yes`): acc + 0.2 format + 0.2 (needed, call, right).
 */
import { z } from "zod";
import { followsStyle } from "../answers/tags.ts";
import type { Completion, Example } from "../core/records.ts";
import { correctness, correctnessOptions } from "./correct.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

/** What a completion did, each 0 or 1. */
export interface ToolUse {
  readonly right: number;
  readonly formatError: number;
  /** At least one call was answered, and not by an error. */
  readonly used: number;
  /** The example says that its question needs tools. */
  readonly needed: number;
}

export const toolFormulas = {
  viva: ({ right, formatError, used, needed }) => right + 0.2 * (1 - formatError) + 0.2 * right * used * needed,
  deepeyes: ({ right, formatError, used }) => 0.8 * right - 0.2 * formatError + 1.2 * right * used,
} satisfies Readonly<Record<string, (use: ToolUse) => number>>;

const ranges = { viva: [0, 1.4], deepeyes: [-0.2, 2] } as const;

const options = z.object({ formula: z.enum(["viva", "deepeyes"]).default("viva"), ...correctnessOptions });

export const toolUse = defineReward("tool_use", options, ({ formula, ...given }, context): Reward => {
  const isRight = correctness(given, context);
  const style = given.style ?? context.style ?? "think_answer";
  const thinkOpened = context.thinkOpened ?? false;
  const useOf = (example: Example, { text, turns = [] }: Completion): ToolUse => {
    const calls = turns.flatMap(({ observation, call }) => (observation === null ? [] : [{ observation, call }]));
    const unread = calls.some(({ call }) => call === null);
    return {
      right: Number(isRight(example, text)),
      formatError: Number(unread || !followsStyle(text, style, thinkOpened)),
      used: Number(calls.some(({ observation }) => !observation.isError)),
      needed: Number(example.meta["needs_tools"] === "yes"),
    };
  };
  return {
    name: "tool_use",
    range: ranges[formula],
    score: (example, completions) => completions.map((own) => toolFormulas[formula](useOf(example, own))),
  };
});

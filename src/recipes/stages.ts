/** The stages of a recipe: keys are spelled as in TRL, and defaults are TRL's if it has one. */
import * as z from "zod";
import type { AdvantageShaper } from "../algorithms/algorithm.ts";
import {
  advantageShapers,
  type PairwiseName,
  pairwiseAlgorithms,
  partProblems,
  type RolloutAlgorithmName,
  rolloutAlgorithms,
} from "../algorithms/index.ts";
import { mapping, number, text, whole } from "../core/fields.ts";
import { environmentSchema } from "../tools/index.ts";
import {
  learningFields,
  pairRolloutFields,
  preferenceFields,
  rolloutFields,
  sftFields,
  softQFields,
  softQOptimiser,
  warmUpFields,
} from "../train/settings.ts";
import { datasetSchema } from "./datasets.ts";
import { rewardsSchema } from "./rewards.ts";

/** Steps or epochs, exactly one of which is set. */
const length = {
  steps: whole({ min: 1 }).nullable().default(null).describe("Optimiser steps; give this or epochs."),
  epochs: number({ above: 0 }).nullable().default(null).describe("Passes over the data; give this or steps."),
};
const hasOneLength = ({ steps, epochs }: { readonly steps: number | null; readonly epochs: number | null }) =>
  (steps === null) !== (epochs === null);
const wantsOneLength = { error: "needs either steps or epochs (the other absent or null)" };

const environment = environmentSchema
  .nullable()
  .default(null)
  .describe("Tools that completions may call between their turns; null: completions of one turn.");

const sft = mapping({ kind: z.literal("sft"), ...length, ...sftFields, environment }).refine(
  hasOneLength,
  wantsOneLength,
);

const warmUp = mapping({
  kind: z.literal("warm_up"),
  ...length,
  ...warmUpFields,
  images: datasetSchema("train")
    .nullable()
    .default(null)
    .describe("Whose images are looked at, questions and answers unread; null: those of data.train."),
}).refine(hasOneLength, wantsOneLength);

/** A stage that learns from pairs of completions; its defaults are the algorithm's. */
function preference(kind: PairwiseName) {
  return mapping({
    kind: z.literal(kind),
    ...length,
    pairs: text("a JSONL file").nullable().default(null).describe("File of chosen and rejected completions."),
    rollouts: mapping({ ...pairRolloutFields, rewards: rewardsSchema })
      .refine(({ correct, rewards }) => correct === null || Object.hasOwn(rewards, correct), {
        error: "must be the name of one of the rollouts' rewards",
        path: ["correct"],
      })
      .nullable()
      .default(null)
      .describe("Instead of pairs: the best against the worst of the policy's own completions."),
    ...preferenceFields(kind),
  })
    .refine(hasOneLength, wantsOneLength)
    .refine(({ pairs, rollouts }) => (pairs === null) !== (rollouts === null), {
      error: "needs either pairs or rollouts (the other absent or null)",
    });
}

const preferences = (Object.keys(pairwiseAlgorithms) as PairwiseName[]).map(preference);

const softQ = mapping({
  kind: z.literal("soft_q"),
  steps: whole({ min: 1 }).describe("Rollout steps."),
  ...rolloutFields,
  rewards: rewardsSchema,
  environment,
  ...softQFields,
  ...softQOptimiser,
})
  .refine(({ top_p }) => top_p === 1, { error: "must be 1: values are those of the whole vocabulary", path: ["top_p"] })
  .refine(({ top_k }) => top_k === 0, {
    error: "must be 0: values are those of the whole vocabulary",
    path: ["top_k"],
  });

/** A stage that learns from its own completions; its defaults are the algorithm's. */
function rollout<const K extends RolloutAlgorithmName>(kind: K) {
  return mapping({
    kind: z.literal(kind),
    steps: whole({ min: 1 }).describe("Rollout steps."),
    ...rolloutFields,
    rewards: rewardsSchema,
    environment,
    ...learningFields(kind),
  })
    .superRefine((stage, context) => {
      for (const { key, error } of partProblems(stage))
        context.addIssue({ code: "custom", path: [key], message: error });
      const { rewardKeys = [] }: AdvantageShaper = advantageShapers[stage.shaping];
      const values: Readonly<Record<string, unknown>> = stage;
      for (const key of rewardKeys) {
        if (Object.hasOwn(stage.rewards, values[key] as string)) continue;
        const message = `must be the name of one of the stage's rewards, which shaping ${stage.shaping} reads`;
        context.addIssue({ code: "custom", path: [key], message });
      }
    })
    .refine(({ prompts_per_step, steps_per_generation }) => prompts_per_step % steps_per_generation === 0, {
      error: "must divide prompts_per_step",
      path: ["steps_per_generation"],
    })
    .refine(({ train_completions, num_generations }) => (train_completions ?? 1) <= num_generations, {
      error: "must not exceed num_generations",
      path: ["train_completions"],
    })
    .refine(({ paradigms, filter_groups }) => paradigms === null || filter_groups === null, {
      error: "must be null with paradigms: a question is compared in all of them or in none",
      path: ["filter_groups"],
    })
    .refine(
      ({ filter_groups, rewards }) =>
        filter_groups === null || ["reward", ...Object.keys(rewards)].includes(filter_groups.metric),
      { error: "must be reward or the name of one of the stage's rewards", path: ["filter_groups", "metric"] },
    );
}

type RolloutStages = { [K in RolloutAlgorithmName]: ReturnType<typeof rollout<K>> }[RolloutAlgorithmName];

const rollouts = (Object.keys(rolloutAlgorithms) as RolloutAlgorithmName[]).map(rollout) as RolloutStages[];

/** A stage, discriminated by kind. */
export const stageSchema = z.discriminatedUnion("kind", [sft, ...rollouts, ...preferences, warmUp, softQ]);

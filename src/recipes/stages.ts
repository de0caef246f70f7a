/** The stages of a recipe: keys are spelled as TRL spells them, and defaults are TRL's where it has one. */
import * as z from "zod";
import {
  advantageNames,
  importanceSamplingLevels,
  klEstimators,
  lossTypes,
  policyLossNames,
  rewardScalings,
} from "../algorithms/algorithm.ts";
import { advantageEstimators, type RolloutAlgorithmName, rolloutAlgorithms, tokenLosses } from "../algorithms/index.ts";
import { flag, mapping, number, oneOf, text, whole } from "../core/fields.ts";
import { schedules } from "../train/schedule.ts";
import { rewardsSchema } from "./rewards.ts";

const optimiser = {
  lr_scheduler_type: oneOf(...schedules)
    .default("linear")
    .describe("How the learning rate moves over the stage; linear and cosine fall to 0 after the warm-up."),
  warmup_steps: whole({ min: 0 }).default(0).describe("Steps over which the learning rate rises from 0."),
  weight_decay: number({ min: 0 }).default(0).describe("AdamW's decoupled weight decay."),
  adam_beta1: number({ min: 0, below: 1 }).default(0.9),
  adam_beta2: number({ min: 0, below: 1 }).default(0.999),
  adam_epsilon: number({ above: 0 }).default(1e-8),
  max_grad_norm: number({ min: 0 }).default(1).describe("Gradients are scaled down to this norm; 0 never clips."),
};

/** Steps or epochs, and which of the two a stage was given. */
const length = {
  steps: whole({ min: 1 }).nullable().default(null).describe("Optimiser steps; give this or epochs."),
  epochs: number({ above: 0 }).nullable().default(null).describe("Passes over the data; give this or steps."),
};
const hasOneLength = ({ steps, epochs }: { readonly steps: number | null; readonly epochs: number | null }) =>
  (steps === null) !== (epochs === null);
const wantsOneLength = { error: "needs either steps or epochs (the other absent or null)" };

const sft = mapping({
  kind: z.literal("sft"),
  ...length,
  batch_size: whole({ min: 1 }).default(8).describe("Examples per optimiser step."),
  target: oneOf("answer", "rationale_answer")
    .default("answer")
    .describe("What is taught: the answer, or the reference reasoning followed by the answer."),
  learning_rate: number({ min: 0 }).default(2e-5),
  ...optimiser,
}).refine(hasOneLength, wantsOneLength);

/** How completions are sampled and what they earn. */
const generation = {
  num_generations: whole({ min: 2 }).default(8).describe("Completions per question: the group's size."),
  max_completion_length: whole({ min: 1 }).default(256).describe("Tokens after which a completion is cut."),
  temperature: number({ above: 0 }).default(1),
  top_p: number({ above: 0, max: 1 }).default(1),
  top_k: whole({ min: 0 }).default(0).describe("Sample from the k likeliest tokens; 0 is all."),
  rewards: rewardsSchema,
};

const dpo = mapping({
  kind: z.literal("dpo"),
  ...length,
  batch_size: whole({ min: 1 }).default(8).describe("Pairs per optimiser step; from rollouts: questions per step."),
  beta: number({ above: 0 }).default(0.1).describe("How strongly the policy is held to the reference."),
  pairs: text("a JSONL file").nullable().default(null).describe("File of chosen and rejected completions."),
  rollouts: mapping(generation)
    .nullable()
    .default(null)
    .describe("In place of pairs: the best against the worst of the policy's own completions."),
  learning_rate: number({ min: 0 }).default(1e-6),
  ...optimiser,
})
  .refine(hasOneLength, wantsOneLength)
  .refine(({ pairs, rollouts }) => (pairs === null) !== (rollouts === null), {
    error: "needs either pairs or rollouts (the other absent or null)",
  });

const filterGroups = mapping({
  metric: text("reward, or the name of a reward")
    .default("reward")
    .describe("Groups in which this is the same for all completions are replaced: reward, or one reward's name."),
  max_resample: whole({ min: 1 }).default(3).describe("Rounds of replacement per step; what is left then stays."),
});

/** A stage that learns from its own completions; the algorithm's defaults are the stage's. */
function rollout<const K extends RolloutAlgorithmName>(kind: K) {
  const { defaults } = rolloutAlgorithms[kind];
  return mapping({
    kind: z.literal(kind),
    steps: whole({ min: 1 }).describe("Rollout steps."),
    prompts_per_step: whole({ min: 1 }).default(8).describe("Questions per rollout step."),
    ...generation,
    advantage: oneOf(...advantageNames)
      .default(defaults.advantage)
      .describe("What a completion's reward is compared with."),
    scale_rewards: oneOf(...rewardScalings)
      .default(defaults.scaleRewards)
      .describe("Which standard deviation divides a group_relative advantage."),
    filter_groups: filterGroups
      .nullable()
      .default(defaults.filterGroups ? filterGroups.parse({}) : null)
      .describe("Dynamic sampling: replace groups that teach nothing by fresh questions; null keeps them."),
    token_loss: oneOf(...policyLossNames)
      .default(defaults.tokenLoss)
      .describe("What bounds the ratio of a token: a clip, a capped weight, a smooth gate, or nothing."),
    loss_type: oneOf(...lossTypes)
      .default(defaults.lossType)
      .describe("How token losses are averaged: per completion, per token, or by max_completion_length."),
    importance_sampling_level: oneOf(...importanceSamplingLevels)
      .default(defaults.importanceSamplingLevel)
      .describe("Whether a token has a ratio of its own or its completion's."),
    beta: number({ min: 0 }).default(0).describe("Weight of the KL term against the reference; 0 needs no reference."),
    kl_estimator: oneOf(...klEstimators).default("k3"),
    epsilon: number({ above: 0 }).default(defaults.epsilon).describe("Clip range of the ratio below 1."),
    epsilon_high: number({ above: 0 })
      .nullable()
      .default(defaults.epsilonHigh)
      .describe("Clip range above 1, null is epsilon; with token_loss cispo the ratio's cap, null is 5."),
    delta: number({ above: 1 }).nullable().default(null).describe("Upper bound of the unclipped ratio; null has none."),
    sapo_temperature_pos: number({ above: 0 }).default(1).describe("Of sapo's gate where the advantage is positive."),
    sapo_temperature_neg: number({ above: 0 }).default(1.05).describe("Of sapo's gate elsewhere."),
    num_iterations: whole({ min: 1 }).default(1).describe("Passes over each rollout."),
    steps_per_generation: whole({ min: 1 })
      .default(1)
      .describe("Mini-batches that a rollout is cut into, an optimiser step each; divides prompts_per_step."),
    mask_truncated_completions: flag()
      .default(false)
      .describe("Leave completions that ended by length out of the loss."),
    entropy_coef: number({ min: 0 }).default(0).describe("Weight of the mean entropy per token, which is rewarded."),
    learning_rate: number({ min: 0 }).default(1e-6),
    ...optimiser,
  })
    .refine(({ delta, token_loss }) => delta === null || token_loss === "clip", {
      error: "must be null: only token_loss clip reads it",
      path: ["delta"],
    })
    .refine(
      ({ delta, token_loss, epsilon, epsilon_high }) =>
        delta === null || delta > tokenLosses[token_loss].bounds({ epsilon, epsilonHigh: epsilon_high }).high,
      { error: "must exceed 1 + epsilon_high (or it would clip inside the clip range)", path: ["delta"] },
    )
    .refine(({ advantage, scale_rewards }) => scale_rewards === "none" || advantageEstimators[advantage].scales, {
      error: "must be none: only advantage group_relative is scaled",
      path: ["scale_rewards"],
    })
    .refine(({ prompts_per_step, steps_per_generation }) => prompts_per_step % steps_per_generation === 0, {
      error: "must divide prompts_per_step",
      path: ["steps_per_generation"],
    })
    .refine(
      ({ filter_groups, rewards }) =>
        filter_groups === null || ["reward", ...Object.keys(rewards)].includes(filter_groups.metric),
      { error: "must be reward or the name of one of the stage's rewards", path: ["filter_groups", "metric"] },
    );
}

/** A stage, told apart by its kind. */
export const stageSchema = z.discriminatedUnion("kind", [
  sft,
  rollout("grpo"),
  rollout("dr_grpo"),
  rollout("dapo"),
  rollout("gspo"),
  rollout("cispo"),
  rollout("sapo"),
  rollout("rloo"),
  rollout("opo"),
  rollout("reinforce"),
  rollout("gdpo"),
  dpo,
]);

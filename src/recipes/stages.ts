/** The stages of a recipe: keys are spelled as TRL spells them, and defaults are TRL's where it has one. */
import * as z from "zod";
import { klEstimators, lossTypes, rewardScalings } from "../algorithms/algorithm.ts";
import { type RolloutAlgorithmName, rolloutAlgorithms } from "../algorithms/index.ts";
import { schedules } from "../train/schedule.ts";
import { flag, mapping, number, oneOf, openMapping, whole } from "./fields.ts";

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

const sft = mapping({
  kind: z.literal("sft"),
  steps: whole({ min: 1 }).nullable().default(null).describe("Optimiser steps; give this or epochs."),
  epochs: number({ above: 0 }).nullable().default(null).describe("Passes over the data; give this or steps."),
  batch_size: whole({ min: 1 }).default(8).describe("Examples per optimiser step."),
  target: oneOf("answer", "rationale_answer")
    .default("answer")
    .describe("What is taught: the answer, or the reference reasoning followed by the answer."),
  learning_rate: number({ min: 0 }).default(2e-5),
  ...optimiser,
}).refine(({ steps, epochs }) => (steps === null) !== (epochs === null), {
  error: "needs either steps or epochs (the other absent or null)",
});

const reward = z
  .union([number(), openMapping({ weight: number().default(1) })], {
    error: "a weight, or a mapping of weight and options",
  })
  .transform((value) => (typeof value === "number" ? { weight: value } : value));

/** A stage that learns from its own completions; the algorithm's defaults are the stage's. */
function rollout<const K extends RolloutAlgorithmName>(kind: K) {
  const { lossType, scaleRewards } = rolloutAlgorithms[kind].defaults;
  return mapping({
    kind: z.literal(kind),
    steps: whole({ min: 1 }).describe("Rollout steps."),
    prompts_per_step: whole({ min: 1 }).default(8).describe("Questions per rollout step."),
    num_generations: whole({ min: 2 }).default(8).describe("Completions per question: the group's size."),
    max_completion_length: whole({ min: 1 }).default(256).describe("Tokens after which a completion is cut."),
    temperature: number({ above: 0 }).default(1),
    top_p: number({ above: 0, max: 1 }).default(1),
    top_k: whole({ min: 0 }).default(0).describe("Sample from the k likeliest tokens; 0 is all."),
    rewards: z
      .record(z.string(), reward, { error: "a mapping of reward names to weights" })
      .refine((rewards) => Object.keys(rewards).length > 0, { error: "must name at least one reward" })
      .describe("Reward name to its weight, or to a mapping of weight and the reward's options."),
    loss_type: oneOf(...lossTypes)
      .default(lossType)
      .describe("How token losses are averaged: per completion, per token, or by max_completion_length."),
    scale_rewards: oneOf(...rewardScalings)
      .default(scaleRewards)
      .describe("Which standard deviation divides the advantage."),
    importance_sampling_level: oneOf("token").default("token"),
    beta: number({ min: 0 }).default(0).describe("Weight of the KL term against the reference; 0 needs no reference."),
    kl_estimator: oneOf(...klEstimators).default("k3"),
    epsilon: number({ above: 0 }).default(0.2).describe("Clip range of the ratio below 1."),
    epsilon_high: number({ above: 0 }).nullable().default(null).describe("Clip range above 1; null is epsilon."),
    delta: number({ above: 1 }).nullable().default(null).describe("Upper bound of the unclipped ratio; null has none."),
    num_iterations: whole({ min: 1 }).default(1).describe("Optimiser steps on each batch of rollouts."),
    mask_truncated_completions: flag()
      .default(false)
      .describe("Leave completions that ended by length out of the loss."),
    entropy_coef: z.literal(0, { error: "0, since an entropy bonus is not available yet" }).default(0),
    learning_rate: number({ min: 0 }).default(1e-6),
    ...optimiser,
  }).refine(({ delta, epsilon, epsilon_high }) => delta === null || delta > 1 + (epsilon_high ?? epsilon), {
    error: "must exceed 1 + epsilon_high (or it would clip inside the clip range)",
    path: ["delta"],
  });
}

/** A stage, told apart by its kind. */
export const stageSchema = z.discriminatedUnion("kind", [sft, rollout("grpo"), rollout("dr_grpo")]);

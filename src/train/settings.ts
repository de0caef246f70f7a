/** What the loop of a stage is told: the schemas that a recipe's stages are made of, and the types that follow from them. */
import * as z from "zod";
import {
  algorithmSettings,
  type PairwiseName,
  pairBalances,
  pairwiseAlgorithms,
  type RolloutAlgorithmName,
  rolloutAlgorithms,
  withDefaults,
} from "../algorithms/index.ts";
import type { Intersection } from "../algorithms/parts.ts";
import { flag, mapping, nameIn, number, oneOf, text, whole } from "../core/fields.ts";
import { type OptimStep, updateMasks } from "../engine/engine.ts";
import { scheduleAt, schedules } from "./schedule.ts";

type Values<Shape extends z.ZodRawShape> = Readonly<z.output<z.ZodObject<Shape>>>;

/** Bounds in this file are ours: beyond them a step never ends, or the weights do not move, or only fly apart. */
const LARGEST_BATCH = 100_000;

/** The optimiser's settings by the stage's default rate. */
function optimiserFields(learningRate: number) {
  return {
    learning_rate: number({ min: 0, max: 1 }).default(learningRate),
    lr_scheduler_type: oneOf(...schedules)
      .default("linear")
      .describe("How the learning rate moves over the stage; linear and cosine fall to 0 after the warm-up."),
    warmup_steps: number({ min: 0 })
      .refine((steps) => steps < 1 || Number.isInteger(steps), { error: "a whole number, or a share below 1" })
      .default(0)
      .describe("Steps over which the learning rate rises from 0; below 1 a share of all steps."),
    weight_decay: number({ min: 0, max: 100 }).default(0).describe("AdamW's decoupled weight decay."),
    adam_beta1: number({ min: 0, below: 1 }).default(0.9),
    adam_beta2: number({ min: 0, below: 1 }).default(0.999),
    adam_epsilon: number({ min: 1e-20, max: 1 }).default(1e-8),
    max_grad_norm: number({ min: 0 })
      .refine((norm) => norm === 0 || norm >= 1e-6, { error: "must be 0, or at least 1e-6" })
      .default(1)
      .describe("Gradients are scaled down to this norm; 0 never clips."),
    importance_masking: nameIn(updateMasks)
      .default("none")
      .describe("Hold each weight to where it was: by importance (spider), or half of them (random, its control)."),
  };
}

export type OptimizerSettings = Values<ReturnType<typeof optimiserFields>>;

/** Adversarial samples; the sizes are METHODS' own readings, pixels being 0 to 1. */
const adversarialFields = {
  space: oneOf("pixels", "patch_embedding")
    .default("pixels")
    .describe("What is changed: pixels, or what the tower's first layer makes of patches, in its own unit."),
  epsilon: number({ min: 0 })
    .default(4 / 255)
    .describe("Largest change of a pixel of 0 to 1, or of an embedding's number."),
  alpha: number({ min: 0 })
    .default(1 / 255)
    .describe("Change in one step."),
  steps: whole({ min: 1, max: 1000 }).default(3),
  lambda: number({ above: 0 }).default(0.5).describe("Weight of the loss on the changed images."),
};

export type AdversarialSettings = Values<typeof adversarialFields>;

export const sftFields = {
  batch_size: whole({ min: 1, max: LARGEST_BATCH }).default(8).describe("Examples per optimiser step."),
  target: oneOf("answer", "rationale_answer")
    .default("answer")
    .describe("What is taught: the answer, or the reference reasoning followed by the answer."),
  adversarial: mapping(adversarialFields)
    .nullable()
    .default(null)
    .describe("Train on images that are changed against the model too."),
  in_context_examples: whole({ min: 0 })
    .default(0)
    .describe(
      "Solved training examples, without images, before each question; of other subjects, and not learned from.",
    ),
  in_context_fixed: flag()
    .default(false)
    .describe("The first of the training data before every question, in place of a draw for each."),
  ...optimiserFields(2e-5),
};

export type SftSettings = { readonly kind: "sft" } & Values<typeof sftFields>;

/** A labelled part of the training data that the tower is to serve. */
const metaFields = {
  after: whole({ min: 0 }).default(0).describe("Steps of the stage before it begins."),
  batch_size: whole({ min: 2 })
    .default(16)
    .describe("Labelled images that the head is fitted to, and as many it is tried on."),
  inner_steps: whole({ min: 1 }).default(25),
  inner_learning_rate: number({ above: 0 }).default(0.1),
  alpha: number({ min: 0 }).nullable().default(null).describe("Weight of its loss; null: 1, with metsk 15."),
};

export const warmUpFields = {
  batch_size: whole({ min: 2, max: LARGEST_BATCH })
    .default(32)
    .describe("Images per optimiser step, two views of each."),
  loss: oneOf("info_nce", "metsk").default("info_nce"),
  tau: number({ above: 0 }).nullable().default(null).describe("Temperature; null: 0.1, with metsk 30."),
  projection: whole({ min: 0 }).default(128).describe("Width of the projection head; 0 is none."),
  shift: number({ min: 0, max: 0.5 }).default(0.1).describe("Largest shift of a view, as a share of the sides."),
  scale: number({ min: 0, max: 0.5 }).default(0.15),
  intensity: number({ min: 0, max: 1 }).default(0.2),
  noise: number({ min: 0, max: 1 })
    .default(0.05)
    .describe("Standard deviation of a view's noise, pixels being 0 to 1."),
  meta: mapping(metaFields).nullable().default(null).describe("Meta-transfer to the training data's two answers."),
  ...optimiserFields(1e-3),
};

export type WarmUpSettings = { readonly kind: "warm_up" } & Values<typeof warmUpFields>;

/** What null stands for with each loss: its temperature, and the weight of the meta step's loss beside it; of metsk as wenhui0206/MeTSK has them, the others are ours. */
export const contrastiveDefaults: Readonly<
  Record<WarmUpSettings["loss"], { readonly tau: number; readonly alpha: number }>
> = {
  info_nce: { tau: 0.1, alpha: 1 },
  metsk: { tau: 30, alpha: 15 },
};

/** How completions are sampled. */
export const generationFields = {
  num_generations: whole({ min: 2, max: 10_000 }).default(8).describe("Completions per question: the group's size."),
  max_completion_length: whole({ min: 1 }).default(256).describe("Tokens after which a completion is cut."),
  temperature: number({ min: 0.01, max: 100 }).default(1),
  top_p: number({ min: 1e-6, max: 1 }).default(1),
  top_k: whole({ min: 0 }).default(0).describe("Sample from the k likeliest tokens; 0 is all."),
};

export type GenerationSettings = Values<typeof generationFields>;

/** How pairs are made of a stage's own completions. */
export const pairRolloutFields = {
  ...generationFields,
  min_gap: number({ min: 0 }).default(0).describe("Least difference of the rewards of a pair."),
  correct: text("a reward's name")
    .nullable()
    .default(null)
    .describe(
      "Name of the reward that says how right an answer is: of a pair the chosen one is never the worse answer.",
    ),
};

export type PairRolloutSettings = Values<typeof pairRolloutFields>;

const pairFields = {
  batch_size: whole({ min: 1, max: LARGEST_BATCH })
    .default(8)
    .describe("Pairs per optimiser step; from rollouts: questions per step."),
  pair_balance: oneOf(...pairBalances)
    .default("none")
    .describe("length: pairs weigh so that longer and shorter chosen completions count the same in all."),
  ...optimiserFields(1e-6),
};

type PairTable = typeof pairwiseAlgorithms;

/** The keys of a stage that learns from pairs, with the defaults of the algorithm; its own options are among them. */
export function preferenceFields(kind: PairwiseName): typeof pairFields {
  const { options, defaults } = pairwiseAlgorithms[kind];
  const { batch_size, pair_balance, ...optimiser } = withDefaults(pairFields, defaults);
  return { batch_size, ...options, pair_balance, ...optimiser };
}

/** Of any kind: options of other kinds than its own are absent. */
export type PairSettings = Values<typeof pairFields> &
  Partial<Values<Intersection<PairTable[PairwiseName]["options"]>>> & {
    readonly kind: PairwiseName;
    /** How to sample, where pairs come from the policy's own completions. */
    readonly rollouts: PairRolloutSettings | null;
  };

/** The settings of a stage of this kind, with defaults for what is not given. */
export function pairSettings(kind: PairwiseName, given: Partial<PairSettings> = {}): PairSettings {
  const fields: z.ZodRawShape = preferenceFields(kind);
  return { rollouts: null, ...given, ...z.object(fields).parse(given), kind } as PairSettings;
}

/** Soft Q-learning: its backup, and how fast the critic and its target move. */
export const softQFields = {
  beta: number({ above: 0 })
    .default(0.01)
    .describe("Weight of the distance to the frozen model; the best policy is its own times exp(value / beta)."),
  gamma: number({ min: 0, max: 1 }).default(0.99).describe("Discount between utterances; none within one."),
  polyak: number({ min: 0, max: 1 })
    .default(0.995)
    .describe("Share of itself that the critic's target keeps at an update."),
  critic_learning_rate: number({ min: 0, max: 1 }).nullable().default(null).describe("null is learning_rate."),
};

export const softQOptimiser = optimiserFields(1e-6);

/** What a rollout is. */
export const rolloutFields = {
  prompts_per_step: whole({ min: 1, max: LARGEST_BATCH }).default(8).describe("Questions per rollout step."),
  paradigms: z
    .record(text("a name"), text("an instruction"), { error: "a mapping of names to instructions" })
    .refine((paradigms) => Object.keys(paradigms).length > 0, { error: "must name at least one way of reasoning" })
    .nullable()
    .default(null)
    .describe("Ways of reasoning: each question is put once with each instruction behind it; null puts it as it is."),
  ...generationFields,
};

export type SoftQSettings = { readonly kind: "soft_q" } & Values<typeof rolloutFields & typeof softQFields> &
  OptimizerSettings;

/** What is learned from a rollout, with the defaults of the algorithm. */
export function learningFields(kind: RolloutAlgorithmName) {
  return {
    ...algorithmSettings(rolloutAlgorithms[kind]),
    num_iterations: whole({ min: 1, max: 1000 }).default(1).describe("Passes over each rollout."),
    steps_per_generation: whole({ min: 1 })
      .default(1)
      .describe("Mini-batches that a rollout is cut into, an optimiser step each; divides prompts_per_step."),
    mask_truncated_completions: flag()
      .default(false)
      .describe("Leave completions that ended by length out of the loss."),
    entropy_coef: number({ min: 0, max: 1000 })
      .default(0)
      .describe("Weight of the mean entropy per token, which is rewarded."),
    ...optimiserFields(1e-6),
  };
}

export type RolloutSettings = { readonly kind: RolloutAlgorithmName } & Values<
  typeof rolloutFields & ReturnType<typeof learningFields>
>;

/** The settings of a stage of this kind, with defaults for what is not given. */
export function rolloutSettings(kind: RolloutAlgorithmName, given: Partial<RolloutSettings> = {}): RolloutSettings {
  return { ...z.object({ ...rolloutFields, ...learningFields(kind) }).parse(given), kind };
}

/** Optimiser steps on one rollout. */
export function updatesPerStep(settings: Pick<RolloutSettings, "num_iterations" | "steps_per_generation">): number {
  return settings.num_iterations * settings.steps_per_generation;
}

/** The optimiser's numbers at update `update` (from 0) of `updates` in a stage. */
export function optimiserAt(settings: OptimizerSettings, update: number, updates: number): OptimStep {
  const { lr_scheduler_type, warmup_steps } = settings;
  const warmup = warmup_steps < 1 ? Math.ceil(warmup_steps * updates) : warmup_steps;
  const factor = scheduleAt(lr_scheduler_type, update, updates, warmup);
  return {
    learningRate: settings.learning_rate * factor,
    beta1: settings.adam_beta1,
    beta2: settings.adam_beta2,
    epsilon: settings.adam_epsilon,
    weightDecay: settings.weight_decay,
    maxGradNorm: settings.max_grad_norm,
    ...(settings.importance_masking === "none" ? {} : { importanceMasking: settings.importance_masking }),
  };
}

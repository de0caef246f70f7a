/**
 * The real training loops over a LocalCore in this thread, on a golden checkpoint, with made-up questions and rewards.
 */

import type { RolloutAlgorithmName } from "../../src/algorithms/index.ts";
import type { Processor } from "../../src/core/processor.ts";
import { integer, randomKey } from "../../src/core/random.ts";
import type { Completion, Example, Prompt, RolloutResult, SamplingOptions } from "../../src/core/records.ts";
import type { TrainingEngine, TrainingGroup } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import type { SampledGroup } from "../../src/engine/local/sampler.ts";
import type { Reward, WeightedReward } from "../../src/rewards/index.ts";
import type { StepPosition, TrainingContext } from "../../src/train/context.ts";
import { dpoStep } from "../../src/train/dpo.ts";
import { rolloutStep } from "../../src/train/rollout.ts";
import {
  type DpoSettings,
  type OptimizerSettings,
  type RolloutSettings,
  rolloutSettings,
  type SftSettings,
  type SoftQSettings,
} from "../../src/train/settings.ts";
import { sftStep } from "../../src/train/sft.ts";
import { singleTurn } from "../../src/train/single-turn.ts";
import { softQStep } from "../../src/train/soft-q.ts";
import { goldenCase } from "../parity/golden.ts";

const golden = goldenCase("grouped_tied");

export interface Point {
  readonly loss: number;
  readonly grad_norm: number;
}

/** The source of completions: sampled by the model, or fixed tokens independent of it. */
export type Answers = "sampled" | "given";

export interface Run {
  readonly settings: RolloutSettings | SftSettings | DpoSettings | SoftQSettings;
  readonly steps: number;
  /** Stops after so many of them. */
  readonly until?: number;
  readonly answers: Answers;
  /** Weight of a second reward. */
  readonly rises?: number;
  readonly microBatchTokens?: number;
  readonly stopTokenIds?: readonly number[];
}

const optimiser: OptimizerSettings = {
  learning_rate: 1e-3,
  lr_scheduler_type: "linear",
  warmup_steps: 3,
  weight_decay: 0.01,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  max_grad_norm: 1,
  importance_masking: "none",
};

export const sft: SftSettings = {
  ...{ ...optimiser, kind: "sft", batch_size: 3, target: "answer" },
  ...{ in_context_examples: 0, in_context_fixed: false },
};

const rollout: Partial<RolloutSettings> = {
  ...optimiser,
  prompts_per_step: 2,
  num_generations: 4,
  max_completion_length: 6,
  temperature: 0.9,
};

/** The settings of a kind of stage, with the optimiser settings above. */
export function settingsOf(kind: RolloutAlgorithmName): RolloutSettings {
  const settings = rolloutSettings(kind, rollout);
  const { filter_groups } = settings;
  return { ...settings, filter_groups: filter_groups && { ...filter_groups, max_resample: 2 } };
}

export const grpo = settingsOf("grpo");
export const drGrpo = settingsOf("dr_grpo");

export const dpo: DpoSettings = { ...optimiser, kind: "dpo", batch_size: 3, beta: 0.1, rollouts: grpo };

export const softQ: SoftQSettings = {
  ...{ ...grpo, kind: "soft_q", beta: 0.05, gamma: 0.99, polyak: 0.9, critic_learning_rate: 3e-3 },
  adam_epsilon: 1e-5, // the first gradients of the policy are rounding alone
};

/** Fraction of even token ids. */
const evenTokens: Reward = {
  name: "even",
  score: (_, completions) =>
    completions.map(({ tokenIds }) => tokenIds.filter((id) => id % 2 === 0).length / tokenIds.length),
};

/** How often a token's id exceeds its predecessor's; trained on only if a run asks for it. */
const rises: Reward = {
  name: "rises",
  score: (_, completions) =>
    completions.map(({ tokenIds }) => tokenIds.filter((id, t) => t > 0 && id > tokenIds[t - 1]!).length / 6),
};

/** With the image, without it, and short. */
const text = golden.prompt.tokenIds.filter((id) => id < 380);
const prompts: Readonly<Record<string, Prompt>> = {
  image: golden.prompt,
  text: { text: "", tokenIds: text, images: [] },
  short: { text: "", tokenIds: text.slice(0, 5), images: [] },
};
const examples = Object.keys(prompts).map((question): Example => {
  return {
    id: question,
    subjectId: question,
    question,
    images: [],
    answer: question,
    answerType: "open",
    choices: [],
    meta: {},
  };
});

const processor = {
  encode: async ([message]: readonly { readonly content: readonly { readonly text: string }[] }[]) =>
    prompts[message!.content[0]!.text]!,
  encodeCompletion: (answer: string) => Int32Array.from([...answer, "."], (letter) => letter.charCodeAt(0)),
} as unknown as Processor;

/** Loss and gradient norm of every step. */
export async function trajectory({
  settings,
  steps,
  until = steps,
  answers,
  rises: weight = 0,
  microBatchTokens,
  stopTokenIds = [],
}: Run): Promise<Point[]> {
  const core = new LocalCore({
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 1,
    freeze: [],
    threads: 1,
    microBatchTokens: microBatchTokens ?? 4096,
    rows: 8,
    lora: settings.kind === "soft_q" ? { r: 4, lora_alpha: 8, target_modules: "all-linear" } : null,
  });
  try {
    core.freezeReference(settings.kind !== "sft" && settings.kind !== "soft_q" && settings.beta > 0);
    const shared = {
      engine: engineOver(core, answers, stopTokenIds),
      processor,
      examples,
      prompt: { style: "plain", system: null, user: "{question}" },
      seed: 1,
      stage: 0,
      steps,
      onBadImage: "error",
      onSkip: () => {},
    } as const;
    const context: TrainingContext = { ...shared, collect: singleTurn(shared) };
    const even = { reward: evenTokens, weight: 1 };
    const rewards = weight === 0 ? [even] : [even, { reward: rises, weight }];
    const points: Point[] = [];
    for (let index = 0; index < until; index++) {
      const position = { index, step: index + 1 };
      const { metrics } = await step(context, settings, rewards, position);
      points.push({ loss: metrics["loss"] as number, grad_norm: metrics["optim/grad_norm"] as number });
    }
    return points;
  } finally {
    await core.close();
  }
}

function step(
  context: TrainingContext,
  settings: Run["settings"],
  rewards: readonly WeightedReward[],
  position: StepPosition,
) {
  if (settings.kind === "sft") return sftStep(context, settings, position);
  if (settings.kind === "soft_q") return softQStep(context, settings, rewards, position);
  if (settings.kind === "dpo") return dpoStep(context, settings, { rewards }, position);
  return rolloutStep(context, settings, rewards, position);
}

function engineOver(core: LocalCore, answers: Answers, stopTokenIds: readonly number[]): TrainingEngine {
  const result = ({ index, completions }: SampledGroup): RolloutResult => ({
    index,
    completions: completions.map((completion): Completion => ({ ...completion, text: "", policyVersion: 0 })),
  });
  return {
    contextLength: core.contextLength,
    updates: 0,
    policy: {
      async *sample(of, o) {
        const groups: SampledGroup[] = [];
        if (answers === "given") groups.push(...(await givenAnswers(core, of, o)));
        else await core.sample(of, { ...o, rows: 8, stopTokenIds }, (group) => groups.push(group));
        yield* groups.map(result);
      },
      logProbs: (groups, o) => core.logProbs(groups, o, "policy"),
    },
    reference: core.hasReference ? { logProbs: (groups, o) => core.logProbs(groups, o, "reference") } : null,
    forwardBackward: (batch) => core.forwardBackward(batch),
    optimStep: async (o) => core.optimStep(o),
    softCritic: {
      policyPass: (batch) => core.softPolicyPass(batch),
      criticPass: (batch) => core.softCriticPass(batch),
      step: async (o) => core.softStep(o),
    },
    freezeReference: async (keep) => core.freezeReference(keep),
    resetOptimizer: async () => core.resetOptimizer(),
    save: async (folder, { training }) => core.save(folder, training),
    load: async (folder) => core.load(folder),
    close: () => core.close(),
  };
}

/**
 * Completions of one to six tokens that depend only on step, prompt and place, with the model's log-probs, so that
 * rounding on another machine cannot flip a sampled token.
 */
async function givenAnswers(core: LocalCore, of: readonly Prompt[], o: SamplingOptions): Promise<SampledGroup[]> {
  const groups = of.map(
    (prompt, index): TrainingGroup => ({
      prompt,
      completions: Array.from({ length: o.numGenerations }, (_, i) => {
        const key = randomKey(o.seed, "given", o.step, index, i);
        const length = 1 + integer(key, 0, o.maxCompletionLength);
        const tokenIds = Int32Array.from({ length }, (_, t) => integer(key, t + 1, 380));
        return { tokenIds, weight: 0, advantage: 0 };
      }),
    }),
  );
  const { logProbs, entropies } = await core.logProbs(groups, o, "policy");
  let next = 0;
  return groups.map(({ completions }, index) => ({
    index,
    completions: completions.map(({ tokenIds }) => {
      const at = next++;
      return { tokenIds, logProbs: logProbs[at]!, stats: { entropy: entropies[at]! }, finishReason: "stop" };
    }),
  }));
}

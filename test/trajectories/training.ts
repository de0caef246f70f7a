/**
 * The real training loops over a LocalCore in this thread, on a golden checkpoint, with made-up questions and rewards.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PairwiseName, pairwiseAlgorithms, type RolloutAlgorithmName } from "../../src/algorithms/index.ts";
import type { Device } from "../../src/core/device.ts";
import type { Processor } from "../../src/core/processor.ts";
import { integer, randomKey } from "../../src/core/random.ts";
import type { Completion, Example, Prompt, RolloutResult, SamplingOptions } from "../../src/core/records.ts";
import type { EngineOptions } from "../../src/engine/backend.ts";
import type { TrainingEngine, TrainingGroup } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import type { SampledGroup } from "../../src/engine/local/sampler.ts";
import type { Reward } from "../../src/rewards/index.ts";
import type { Metrics } from "../../src/runs/metrics.ts";
import { collectWith } from "../../src/train/collect-rollouts.ts";
import type { StepPosition, TrainingContext } from "../../src/train/context.ts";
import type { PairSource, PreferencePair } from "../../src/train/pair-sources.ts";
import { pairStep } from "../../src/train/pair-step.ts";
import { rolloutStep } from "../../src/train/rollout.ts";
import {
  type OptimizerSettings,
  type PairSettings,
  pairSettings,
  type RolloutSettings,
  rolloutSettings,
  type SftSettings,
  type SoftQSettings,
} from "../../src/train/settings.ts";
import { sftStep } from "../../src/train/sft.ts";
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
  readonly settings: RolloutSettings | SftSettings | PairSettings | SoftQSettings;
  readonly steps: number;
  /** Stops after so many of them. */
  readonly until?: number;
  readonly answers: Answers;
  /** Of kinds that learn from pairs: given ones in place of the best and worst of rollouts. */
  readonly pairs?: readonly PreferencePair[];
  /** Weight of a second reward. */
  readonly rises?: number;
  readonly microBatchTokens?: number;
  readonly stopTokenIds?: readonly number[];
  /** By default the CPU. */
  readonly device?: Device;
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
  ...{ in_context_examples: 0, in_context_fixed: false, adversarial: null },
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

/** The settings of a kind that learns from pairs, on its own completions, with the optimiser settings above. */
export function pairsOf(kind: PairwiseName): PairSettings {
  return pairSettings(kind, { ...optimiser, batch_size: 3, rollouts: { ...grpo, min_gap: 0, correct: null } });
}

export const softQ: SoftQSettings = {
  ...{ ...grpo, kind: "soft_q", beta: 0.05, gamma: 0.99, polyak: 0.9, critic_learning_rate: 3e-3 },
  adam_epsilon: 1e-5, // the first gradients of the policy are rounding alone
};

/** Fraction of even token ids; each token is a part, and earns its own share. */
const evenTokens: Reward = {
  name: "even",
  score: (_, completions) =>
    completions.map(({ tokenIds }) => tokenIds.filter((id) => id % 2 === 0).length / tokenIds.length),
  async scoreSteps(example, completions) {
    const steps = completions.map(({ tokenIds }) =>
      Array.from(tokenIds, (id, t) => ({ end: t + 1, score: Number(id % 2 === 0) / tokenIds.length })),
    );
    return { scores: await evenTokens.score(example, completions), steps };
  },
};

/** How often a token's id exceeds its predecessor's; trained on only if a run asks for it. */
const rises: Reward = {
  name: "rises",
  score: (_, completions) =>
    completions.map(({ tokenIds }) => tokenIds.filter((id, t) => t > 0 && id > tokenIds[t - 1]!).length / 6),
};

/** A letter for each token, so that places in the text are those of tokens. */
function textOf(ids: ArrayLike<number>): string {
  return "x".repeat(ids.length);
}

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

/** Two of the prompts with the image, and one without, each with a pair of answers in made-up words. */
export const pairs: readonly PreferencePair[] = [
  ["image 1", "ab cab bca cab", "bb ac ca bc acb ba", "a"],
  ["image 2", "cb bc ab", "ca cb ba", "b"],
  ["short 3", "aa bb cc dd ee", "ca cd ed", "c"],
].map(([question, chosen, rejected, subjectId]) => {
  const pixels = { width: 6, height: 4, channels: 3, data: new Uint8Array(72).map((_, i) => (37 * i) % 256) } as const;
  const images = [{ path: `made:${subjectId}`, pixels }];
  return {
    example: { ...examples[0]!, id: question!, subjectId: subjectId!, question: question!, images },
    chosen: chosen!,
    rejected: rejected!,
  };
});

type Content = readonly { readonly type: string; readonly text?: string; readonly image?: { readonly path: string } }[];

/** The prompt that the question's first word names, further words as tokens behind it, other features for other pixels. */
function encodeMade(content: Content): Prompt {
  const asked = content.find(({ type }) => type === "text")!.text!;
  const [name] = asked.split(/\s/);
  const path = content.find(({ type }) => type === "image")?.image?.path ?? "";
  const { tokenIds, images } = prompts[name!]!;
  const more = [...asked.slice(name!.length + 1)].slice(0, 24).map((letter) => letter.charCodeAt(0));
  const isChanged = path.includes(" (");
  const share = isChanged ? [...path].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 7 : 0;
  return {
    text: "",
    tokenIds: Int32Array.from([...tokenIds, ...more]),
    images: images.map((image) =>
      isChanged
        ? { ...image, sha256: path, patches: image.patches.map((value) => value * (0.1 * share - 0.5)) }
        : image,
    ),
  };
}

const processor = {
  encode: async ([message]: readonly { readonly content: Content }[]) => encodeMade(message!.content),
  decode: textOf,
  encodeCompletion: (answer: string) => Int32Array.from([...answer, "."], (letter) => letter.charCodeAt(0)),
} as unknown as Processor;

let last: Promise<unknown> = Promise.resolve();

/** Loss and gradient norm of every step. One run at a time, since runs share cores. */
export function trajectory(run: Run): Promise<Point[]> {
  const done = last.then(() => train(run));
  last = done.catch(() => {});
  return done;
}

async function train({
  settings,
  steps,
  until = steps,
  answers,
  pairs: given,
  rises: weight = 0,
  microBatchTokens,
  stopTokenIds = [],
  device = "cpu",
}: Run): Promise<Point[]> {
  const core = openCore({
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 1,
    freeze: [],
    threads: 1,
    device,
    microBatchTokens: microBatchTokens ?? 4096,
    rows: 8,
    lora: settings.kind === "soft_q" ? { r: 4, lora_alpha: 8, target_modules: "all-linear" } : null,
    scoreHead: isPair(settings) && pairwiseAlgorithms[settings.kind].readout === "score",
  });
  core.freezeReference(settings.kind !== "sft" && settings.kind !== "soft_q" && (settings.beta ?? 0) > 0);
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
  const context: TrainingContext = { ...shared, collect: collectWith(shared, null) };
  const even = { reward: evenTokens, weight: 1 };
  const rewards = weight === 0 ? [even] : [even, { reward: rises, weight }];
  const points: Point[] = [];
  let before: Metrics = {};
  for (let index = 0; index < until; index++) {
    const position = { index, step: index + 1, before };
    const source = given === undefined ? { rewards } : { pairs: given };
    const { metrics } = await step(context, settings, source, position);
    before = metrics;
    points.push({ loss: metrics["loss"] as number, grad_norm: metrics["optim/grad_norm"] as number });
  }
  return points;
}

/** Cores that are open, each with the folder of the state it began in. */
const cores = new Map<string, { readonly core: LocalCore; readonly beginning: string }>();

/** A core as it is when it was just opened. Runs of the same options share one, which compiles its programs once. */
function openCore(options: EngineOptions): LocalCore {
  const key = JSON.stringify(options);
  const known = cores.get(key);
  if (known !== undefined) {
    known.core.load(known.beginning);
    return known.core;
  }
  const core = new LocalCore(options);
  const beginning = mkdtempSync(join(tmpdir(), "viva-trajectory-"));
  core.save(beginning, true);
  cores.set(key, { core, beginning });
  return core;
}

/** After the last run of a file. */
export async function closeCores(): Promise<void> {
  for (const { core, beginning } of cores.values()) {
    await core.close();
    rmSync(beginning, { recursive: true });
  }
  cores.clear();
}

function step(context: TrainingContext, settings: Run["settings"], source: PairSource, position: StepPosition) {
  if (settings.kind === "sft") return sftStep(context, settings, position);
  if (isPair(settings)) return pairStep(context, settings, source, position);
  if (!("rewards" in source)) throw new Error(`pairs are not for ${settings.kind}`);
  if (settings.kind === "soft_q") return softQStep(context, settings, source.rewards, position);
  return rolloutStep(context, settings, source.rewards, position);
}

function isPair(settings: Run["settings"]): settings is PairSettings {
  return Object.hasOwn(pairwiseAlgorithms, settings.kind);
}

function engineOver(core: LocalCore, answers: Answers, stopTokenIds: readonly number[]): TrainingEngine {
  const result = ({ index, completions }: SampledGroup): RolloutResult => ({
    index,
    completions: completions.map((completion): Completion => {
      return { ...completion, text: textOf(completion.tokenIds), policyVersion: 0 };
    }),
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
      embed: (of) => core.embed(of),
    },
    reference: core.hasReference ? { logProbs: (groups, o) => core.logProbs(groups, o, "reference") } : null,
    forwardBackward: (batch) => core.forwardBackward(batch),
    scoreHead: {
      scores: (groups) => core.scores(groups),
      backward: (groups, gradients) => core.backwardScores(groups, gradients),
    },
    optimStep: async (o) => core.optimStep(o),
    softCritic: {
      policyPass: (batch) => core.soft.policyPass(batch),
      criticPass: (batch) => core.soft.criticPass(batch),
      step: async (o) => core.soft.step(o),
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
  const { logProbs, stats = {} } = await core.logProbs(groups, o, "policy");
  let next = 0;
  return groups.map(({ completions }, index) => ({
    index,
    completions: completions.map(({ tokenIds }) => {
      const at = next++;
      const own = Object.fromEntries(Object.entries(stats).map(([name, values]) => [name, values[at]!]));
      return { tokenIds, logProbs: logProbs[at]!, stats: own, finishReason: "stop" };
    }),
  }));
}

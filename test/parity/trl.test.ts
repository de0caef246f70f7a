/**
 * Advantages, losses, gradients and metrics against TRL's own code on random tensors (scripts/goldens/algorithms.py).
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { RewardScaling } from "../../src/algorithms/advantages.ts";
import { type ImportanceSamplingLevel, plainVariant } from "../../src/algorithms/algorithm.ts";
import { sequenceLogRatio } from "../../src/algorithms/gspo.ts";
import {
  type AdvantageName,
  advantageEstimators,
  defaultLossNumbers,
  type PolicyLossName,
  policyLosses,
} from "../../src/algorithms/index.ts";
import { pairLoss, pairwiseAlgorithms } from "../../src/algorithms/pairwise/index.ts";
import { type LossType, tokenWeights } from "../../src/algorithms/token-weights.ts";
import { interpret } from "../../src/compiler/interpret.ts";
import type { Params } from "../../src/compiler/tensor.ts";
import type { TensorData } from "../../src/core/tensor-data.ts";
import type { TrainingCompletion } from "../../src/engine/engine.ts";
import { lossProgram } from "../../src/engine/local/programs.ts";
import type { Model } from "../../src/models/model.ts";
import { combineRewards } from "../../src/rewards/index.ts";
import { countTokens, meanEntropy, policyMetrics, sumPolicy } from "../../src/train/policy-metrics.ts";
import { rolloutSettings } from "../../src/train/settings.ts";

/** Defaults of options that a case does not set. */
const grpo = rolloutSettings("grpo");

interface Options {
  readonly loss_type: LossType | "cispo" | "sapo";
  readonly importance_sampling_level: ImportanceSamplingLevel;
  readonly epsilon: number;
  readonly epsilon_high: number | null;
  readonly delta: number | null;
  readonly beta: number;
  readonly entropy_coef: number;
  readonly sapo_temperature_pos: number;
  readonly sapo_temperature_neg: number;
  readonly on_policy: boolean;
  /** The inputs are the first of two optimiser steps on a rollout of `rollout_tokens`. */
  readonly two_steps: boolean;
}

interface Golden {
  readonly inputs: {
    readonly logits: number[][][];
    readonly ids: number[][];
    readonly old: number[][];
    readonly reference: number[][];
    readonly advantages: number[];
    readonly lengths: number[];
    readonly masked: number;
    readonly max_completion_length: number;
    readonly rollout_tokens: number;
  };
  readonly losses: readonly {
    readonly options: Options;
    readonly loss: number;
    readonly gradient: number[][][];
    readonly metrics: Readonly<Record<string, number>>;
  }[];
  readonly rloo: { readonly gradient: number[][][] };
  readonly advantages: {
    readonly rewards: (number | null)[][];
    readonly weights: number[];
    readonly num_generations: number;
    readonly found: Readonly<Record<RewardScaling | "multi_objective" | "rloo", number[]>>;
  };
  readonly dpo: {
    readonly beta: number;
    readonly lengths: number[];
    readonly log_probs: number[][];
    readonly reference: number[][];
    readonly loss: number;
    readonly gradient: number[][];
    readonly metrics: Readonly<Record<string, number>>;
  };
}

const path = fileURLToPath(new URL("../golden/trl.json", import.meta.url));
const golden: Golden = JSON.parse(readFileSync(path, "utf8"));
const { inputs } = golden;
const vocabulary = inputs.logits[0]![0]!.length;

/** A model whose hidden states are its logits: the engine's own loss program without a network. */
const model = {
  weights: {},
  language: {
    width: vocabulary,
    vocabularySize: vocabulary,
    headWeights: [],
    head: (_: unknown, x: unknown) => x,
  },
} as unknown as Model;

const sampling = { greedy: false, topK: 0, topP: false };
const lengths = inputs.lengths;
const masked = lengths.map((_, i) => i === inputs.masked);
/** All completions' tokens concatenated, without padding. */
const flat = <T>(rows: readonly (readonly T[])[]) => rows.flatMap((row, i) => row.slice(0, lengths[i]!));
const perToken = (values: readonly number[]) => lengths.flatMap((length, i) => Array<number>(length).fill(values[i]!));

function logProbsOf(): number[][] {
  return inputs.logits.map((tokens, i) =>
    tokens.slice(0, lengths[i]!).map((logits, t) => {
      const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
      return logits[inputs.ids[i]![t]!]! - total;
    }),
  );
}

interface Evaluated {
  readonly loss: number;
  /** With respect to the logits of every token, [tokens x vocabulary]. */
  readonly gradient: readonly number[];
  readonly completions: readonly TrainingCompletion[];
  readonly logProbs: readonly Float32Array[];
  readonly entropies: readonly Float32Array[];
}

interface LossChoice {
  readonly tokenLoss: PolicyLossName;
  readonly lossType: LossType;
}

function evaluate(o: Options, { tokenLoss, lossType }: LossChoice): Evaluated {
  const float = (data: readonly number[], ...shape: number[]): TensorData => ({
    dtype: "float64",
    shape,
    data: Float64Array.from(data),
  });
  const steps = o.two_steps ? 2 : 1;
  const counted = lengths.reduce((sum, length, i) => sum + (masked[i] ? 0 : length), 0);
  const tokensPerStep = o.two_steps ? inputs.rollout_tokens / steps : counted;
  const weightOptions = { maxCompletionLength: inputs.max_completion_length, tokensPerStep };
  const weights = tokenWeights(lengths, masked, { ...weightOptions, lossType });
  const entropyWeights = tokenWeights(lengths, masked, { ...weightOptions, lossType: "bnpo" }).map(
    (weight) => o.entropy_coef * weight,
  );
  const numbers = { ...defaultLossNumbers, ...policyLosses[tokenLoss].numbers({ ...grpo, ...o }), beta: o.beta };
  const variant = {
    ...plainVariant,
    onPolicy: o.on_policy,
    level: o.importance_sampling_level,
    klEstimator: o.beta > 0 ? ("k3" as const) : null,
    entropyBonus: o.entropy_coef > 0,
  };
  const own = logProbsOf();
  const logRatios = own.map((values, i) => sequenceLogRatio(values, inputs.old[i]!));
  const n = flat(inputs.ids).length;
  const feeds: Params<TensorData> = {
    x: float(flat(inputs.logits).flat(), n, vocabulary),
    targets: { dtype: "int32", shape: [n], data: Int32Array.from(flat(inputs.ids)) },
    weight: float(perToken(weights), n),
    entropyWeight: float(perToken(entropyWeights), n),
    oldLogProb: float(flat(inputs.old), n),
    refLogProb: float(flat(inputs.reference), n),
    sequenceLogRatio: float(perToken(logRatios), n),
    advantage: float(perToken(inputs.advantages), n),
    temperature: float([1]),
    topP: float([1]),
    banned: float(Array(vocabulary).fill(0), vocabulary),
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, float([value])])),
  };
  const found = interpret(lossProgram(model, sampling, tokenLoss, variant, []), feeds, { precision: "float64" });
  let next = 0;
  const split = (values: ArrayLike<number>) =>
    lengths.map((length) => Float32Array.from({ length }, () => values[next++ % n]!));
  const [old, reference] = [inputs.old, inputs.reference].map((rows) => split(flat(rows)));
  return {
    loss: found["loss"]!.data[0]!,
    gradient: [...found["d.x"]!.data],
    logProbs: split(found["logProb"]!.data),
    entropies: split(found["entropy"]!.data),
    completions: lengths.map((length, i) => ({
      tokenIds: new Int32Array(length),
      weight: weights[i]!,
      advantage: inputs.advantages[i]!,
      oldLogProbs: o.on_policy ? Float32Array.from(own[i]!) : old![i]!,
      refLogProbs: reference![i]!,
    })),
  };
}

function expectClose(found: readonly number[], expected: readonly number[], what: string, scale = 1): void {
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(found[i]! * scale - value);
    expect(difference, `${what} ${i}: ${found[i]! * scale} for ${value}`).toBeLessThanOrEqual(
      1e-6 * Math.max(1, Math.abs(value)),
    );
  }
}

/** TRL's loss_type combines token loss and averaging. */
function choiceOf(lossType: Options["loss_type"]): LossChoice {
  if (lossType === "cispo") return { tokenLoss: "cispo", lossType: "dapo" };
  if (lossType === "sapo") return { tokenLoss: "sapo", lossType: "grpo" };
  return { tokenLoss: "clip", lossType };
}

describe("losses", () => {
  test.each(golden.losses)("$options", ({ options, loss, gradient, metrics }) => {
    const found = evaluate(options, choiceOf(options.loss_type));
    expectClose([found.loss], [loss], "loss");
    expectClose(found.gradient, flat(gradient).flat(), "gradient");
    // Beyond the completions' tokens the gradient is zero.
    const beyond = gradient.flatMap((tokens, i) => tokens.slice(lengths[i]!)).flat();
    expect(beyond.every((value) => value === 0)).toBe(true);

    const { tokenLoss } = choiceOf(options.loss_type);
    const bounds = policyLosses[tokenLoss].bounds({ ...grpo, ...options });
    const groups = [{ prompt: { text: "", tokenIds: new Int32Array(0), images: [] }, completions: found.completions }];
    const sums = sumPolicy(groups, found, { bounds, level: options.importance_sampling_level });
    const ours = policyMetrics([sums], { counted: countTokens(groups), hasReference: options.beta > 0 });
    const counted = found.entropies.filter((_, i) => found.completions[i]!.weight !== 0);
    expect(meanEntropy(counted)).toBeCloseTo(metrics["entropy"]!, 5);
    if (options.beta > 0) expect(ours["policy/kl"]).toBeCloseTo(metrics["kl"]!, 5);
    // A sequence-level ratio counts once in TRL and once per token here.
    if (options.importance_sampling_level === "sequence") return;
    const [low, high] = [
      metrics["clip_ratio/low_mean"],
      metrics["clip_ratio/high_mean"] ?? metrics["cispo_clip_ratio"],
    ];
    expect(ours["policy/clip_fraction_low"]).toBeCloseTo(low ?? 0, 6);
    expect(ours["policy/clip_fraction_high"]).toBeCloseTo(high ?? 0, 6);
  });

  test("the inputs reach every branch", () => {
    const clipped = golden.losses.map(({ metrics }) => metrics);
    expect(clipped.some((metrics) => (metrics["clip_ratio/low_mean"] ?? 0) > 0)).toBe(true);
    expect(clipped.some((metrics) => (metrics["clip_ratio/high_mean"] ?? 0) > 0)).toBe(true);
    expect(clipped.some((metrics) => (metrics["cispo_clip_ratio"] ?? 0) > 0)).toBe(true);
    const gradientOf = (which: Partial<Options>) =>
      golden.losses.find(({ options }) =>
        Object.entries(which).every(([key, v]) => options[key as keyof Options] === v),
      )!.gradient;
    const plain = gradientOf({ loss_type: "grpo" });
    for (const which of [{ delta: 2 }, { beta: 0.3 }, { entropy_coef: 0.05 }, { on_policy: true }]) {
      expect(gradientOf(which)).not.toEqual(plain);
    }
    expect(gradientOf({ loss_type: "cispo", epsilon_high: 5 })).not.toEqual(
      gradientOf({ loss_type: "cispo", epsilon_high: 1.2 }),
    );
  });

  test("rloo on policy: RLOOTrainer's gradient, up to the constant max_completion_length", () => {
    const options = { ...golden.losses[0]!.options, on_policy: true };
    const found = evaluate(options, { tokenLoss: "clip", lossType: "dr_grpo" });
    const expected = flat(golden.rloo.gradient).flat();
    // TRL includes the masked completion in its mean.
    expectClose(found.gradient, expected, "gradient", inputs.max_completion_length);
    const reinforce = evaluate(options, { tokenLoss: "reinforce", lossType: "dr_grpo" });
    expectClose(reinforce.gradient, expected, "gradient of reinforce", inputs.max_completion_length);
  });
});

describe("advantages", () => {
  const { rewards, weights, num_generations, found } = golden.advantages;
  const names = ["a", "b"];
  const rewardWeights = Object.fromEntries(names.map((name, k) => [name, weights[k]!]));
  const groups = Array.from({ length: rewards.length / num_generations }, (_, g) => {
    const rows = rewards.slice(g * num_generations, (g + 1) * num_generations);
    const byName = Object.fromEntries(names.map((name, k) => [name, rows.map((row) => row[k]!)]));
    return { rewards: byName, reward: combineRewards(byName, rewardWeights), lengths: rows.map(() => 1) };
  });
  const cases: readonly [keyof typeof found, AdvantageName, RewardScaling][] = [
    ["group", "group_relative", "group"],
    ["batch", "group_relative", "batch"],
    ["none", "group_relative", "none"],
    ["multi_objective", "multi_objective", "none"],
    ["rloo", "rloo", "none"],
  ];

  test.each(cases)("%s: %s, scaled by %s", (key, name, scaleRewards) => {
    const advantages = advantageEstimators[name].advantages(
      groups,
      { ...grpo, scale_rewards: scaleRewards },
      rewardWeights,
    );
    expectClose(advantages.flat(), found[key], key);
  });
});

test("dpo: loss, gradient and metrics of DPOTrainer", () => {
  const { beta, lengths: own, log_probs, reference, loss, gradient, metrics } = golden.dpo;
  const pairs = own.length / 2;
  const score = (_: unknown, i: number) =>
    beta * log_probs[i]!.reduce((sum, value, t) => sum + value - reference[i]![t]!, 0);
  const all = own.map(score);
  const scores = { chosen: all.slice(0, pairs), rejected: all.slice(pairs) };
  const weights = scores.chosen.map(() => 1 / pairs);
  const found = pairLoss(pairwiseAlgorithms.dpo, scores, weights, { margin: 0 });
  expectClose([found.loss], [loss], "loss");
  // The golden has chosen completions first; a token's log-prob counts beta times in its row's number.
  const expected = gradient.map((row, i) => row.slice(0, own[i]!));
  for (const [i, row] of expected.entries()) {
    const slope = (i < pairs ? found.gradients.chosen! : found.gradients.rejected!)[i % pairs]!;
    expectClose(
      row.map(() => beta * slope),
      row,
      `pair ${i % pairs}`,
    );
  }
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const margins = scores.chosen.map((chosen, i) => chosen - scores.rejected[i]!);
  expectClose(
    [mean(scores.chosen), mean(scores.rejected), mean(margins.map((margin) => Number(margin > 0))), mean(margins)],
    [
      metrics["rewards/chosen"]!,
      metrics["rewards/rejected"]!,
      metrics["rewards/accuracies"]!,
      metrics["rewards/margins"]!,
    ],
    "metrics",
  );
});

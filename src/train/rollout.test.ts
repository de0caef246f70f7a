/** What one step asks of an engine, seen by an engine that only takes notes. */
import { describe, expect, test } from "vitest";
import { plainVariant } from "../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import type { Processor } from "../core/processor.ts";
import type { Completion, Example, Prompt } from "../core/records.ts";
import type { OptimStep, TokenBatch, TrainingCompletion, TrainingEngine, TrainingGroup } from "../engine/engine.ts";
import type { Reward } from "../rewards/index.ts";
import { collectWith } from "./collect-rollouts.ts";
import type { TrainingContext } from "./context.ts";
import { rolloutStep } from "./rollout.ts";
import { type RolloutSettings, rolloutSettings } from "./settings.ts";
import { sftStep } from "./sft.ts";
import { withoutZeroGradients } from "./zero-gradients.ts";

const examples = ["a", "b"].map((id): Example => {
  return { id, subjectId: id, question: id, images: [], answer: id, answerType: "open", choices: [], meta: {} };
});

/** Lengths of the completions of both groups; the last of each was cut. */
const lengths = [
  [1, 3, 4],
  [2, 2, 4],
];

function completion(length: number): Completion {
  return {
    tokenIds: Int32Array.from({ length }, (_, t) => t),
    logProbs: new Float32Array(length).fill(-1),
    text: "",
    finishReason: length === 4 ? "length" : "stop",
    policyVersion: 0,
    stats: { entropy: new Float32Array(length).fill(2) },
  };
}

/** The log-probs of the policy grow by 0.5 with every update, so that the second ratio is e^0.5. */
function fakeEngine(hasReference: boolean) {
  const batches: TokenBatch[] = [];
  const optimisers: OptimStep[] = [];
  const calls: string[] = [];
  const scores = (groups: readonly TrainingGroup[], value: number) => {
    const all = groups.flatMap(({ completions }) => completions.map(({ tokenIds }) => tokenIds.length));
    const filled = (v: number) => all.map((length) => new Float32Array(length).fill(v));
    return { logProbs: filled(value), entropies: filled(2) };
  };
  const engine = {
    policy: {
      async *sample(prompts: readonly Prompt[]) {
        calls.push("sample");
        // Groups may come in any order.
        for (const index of [...prompts.keys()].reverse()) {
          yield { index, completions: lengths[index]!.map(completion) };
        }
      },
    },
    reference: hasReference
      ? {
          logProbs: async (groups: readonly TrainingGroup[]) => {
            calls.push("reference");
            return scores(groups, -1.25);
          },
        }
      : null,
    forwardBackward: async (batch: TokenBatch) => {
      calls.push("forwardBackward");
      batches.push(batch);
      return { loss: 0.5, ...scores(batch.groups, -1 + 0.5 * optimisers.length) };
    },
    optimStep: async (o: OptimStep) => {
      calls.push("optimStep");
      optimisers.push(o);
      return { gradNorm: 3 };
    },
  } as unknown as TrainingEngine;
  return { engine, batches, optimisers, calls };
}

const processor = {
  encode: async ([message]: readonly { readonly content: readonly { readonly text: string }[] }[]) => {
    return { text: message!.content[0]!.text, tokenIds: Int32Array.of(1, 2), images: [] };
  },
  encodeCompletion: (text: string) => new Int32Array(text.length + 1),
} as unknown as Processor;

function contextOf(engine: TrainingEngine): TrainingContext {
  const context = {
    engine,
    processor,
    examples,
    prompt: { style: "plain", system: null, user: "{question}" },
    seed: 1,
    stage: 0,
    steps: 4,
    onBadImage: "error",
    onSkip: () => {},
  } as const;
  return { ...context, collect: collectWith(context, null) };
}

const settings = rolloutSettings("grpo", {
  prompts_per_step: 2,
  num_generations: 3,
  max_completion_length: 4,
  temperature: 0.8,
  top_p: 0.9,
  top_k: 7,
  scale_rewards: "none",
  kl_estimator: "k2",
  learning_rate: 0.1,
});

/** The share of the longest possible completion; the second group's last one has none. */
const lengthReward: Reward = {
  name: "length",
  score: (_, completions) =>
    completions.map(({ tokenIds }, i) =>
      completions[0]!.tokenIds.length === 2 && i === 2 ? null : tokenIds.length / 4,
    ),
};
const rewards = [{ reward: lengthReward, weight: 2 }];

/** Rollouts whose completions all were cut. */
function allCut({ collect }: TrainingContext): TrainingContext["collect"] {
  return async (...asked) => {
    const { samples, seconds } = await collect(...asked);
    const cut = samples.map((sample) => {
      return { ...sample, completions: sample.completions.map((one) => ({ ...one, finishReason: "length" as const })) };
    });
    return { samples: cut, seconds };
  };
}

async function step(change: Partial<RolloutSettings> = {}, hasReference = false) {
  const fake = fakeEngine(hasReference);
  const result = await rolloutStep(contextOf(fake.engine), { ...settings, ...change }, rewards, { index: 0, step: 1 });
  return { ...fake, ...result };
}
const flat = (batch: TokenBatch) => batch.groups.flatMap(({ completions }) => completions);

describe("withoutZeroGradients", () => {
  const prompt = { text: "", tokenIds: Int32Array.of(1), images: [] };
  const keeps = (change: Partial<TrainingCompletion>, beta = 0) => {
    const made = { tokenIds: Int32Array.of(4, 5), weight: 0.5, advantage: 0, ...change };
    return withoutZeroGradients([{ prompt, completions: [made] }], beta)[0]!.completions.length === 1;
  };

  test("asks for a token with weight and advantage, a KL term or an entropy bonus", () => {
    expect(keeps({})).toBe(false);
    expect(keeps({ advantage: -1e-9 })).toBe(true);
    expect(keeps({ advantage: 1, weight: 0 })).toBe(false);
    expect(keeps({}, 0.1)).toBe(true);
    expect(keeps({ weight: 0 }, 0.1)).toBe(false);
    expect(keeps({ entropyWeight: 0.1 })).toBe(true);
    expect(keeps({ advantage: 1, tokenIds: new Int32Array(0) })).toBe(false);
  });

  test("token by token where values are per token", () => {
    const of = (...values: number[]) => Float32Array.from(values);
    expect(keeps({ advantage: of(0, 0) })).toBe(false);
    expect(keeps({ advantage: of(0, 1) })).toBe(true);
    expect(keeps({ advantage: of(0, 1), weight: of(1, 0) })).toBe(false);
    expect(keeps({ advantage: of(0, 1), weight: of(1, 0), entropyWeight: of(0, 0) }, 0.1)).toBe(true);
    expect(keeps({ advantage: of(0, 1), weight: of(1, 0), entropyWeight: of(0, 2) })).toBe(true);
  });
});

describe("rolloutStep", () => {
  test("one on-policy update: sample, differentiate, step", async () => {
    const { calls, batches, groups, metrics } = await step();
    expect(calls).toEqual(["sample", "forwardBackward", "optimStep"]);
    const [batch] = batches;
    expect(batch!.loss).toEqual({
      name: "clip",
      variant: plainVariant,
      numbers: defaultLossNumbers,
    });
    expect(batch!.scoring).toMatchObject({ temperature: 0.8, topP: 0.9, topK: 7 });
    expect(groups.map(({ reward }) => reward)).toEqual([
      [0.5, 1.5, 2],
      [1, 1, null],
    ]);
    expect(flat(batch!).map(({ advantage }) => advantage)).toEqual([
      expect.closeTo(0.5 - 4 / 3, 9),
      expect.closeTo(1.5 - 4 / 3, 9),
      expect.closeTo(2 - 4 / 3, 9),
    ]);
    // The second group has no spread: its prompt comes alone, and its completions count in the weights of the others.
    expect(batch!.groups.map(({ completions }) => completions.length)).toEqual([3, 0]);
    expect(flat(batch!).map(({ weight }) => weight)).toEqual(lengths[0]!.map((length) => 1 / (6 * length)));
    expect(flat(batch!).map(({ tokenIds }) => tokenIds.length)).toEqual(lengths[0]);
    expect(metrics).toMatchObject({
      loss: 0.5,
      "optim/grad_norm": 3,
      "optim/learning_rate": 0.1,
      "group/zero_std_fraction": 0.5,
      "reward/mean": 6 / 5,
      "reward/length/mean": 3 / 5,
      "completion/length_mean": 16 / 6,
      "completion/length_max": 4,
      "completion/truncated_fraction": 2 / 6,
      "policy/clip_fraction": 0,
      "policy/entropy": 2,
      "sampler/logprob_diff_max": 0,
      "completion/trained_fraction": 0.5,
    });
    expect(metrics).not.toHaveProperty("policy/kl");
  });

  test("a mean of nothing is absent: of a reward that applies nowhere, and of tokens that all are masked", async () => {
    const nowhere: Reward = { name: "nowhere", score: (_, completions) => completions.map(() => null) };
    const { engine } = fakeEngine(false);
    const position = { index: 0, step: 1 };
    const masked = { ...settings, mask_truncated_completions: true };
    const none = await rolloutStep(contextOf(engine), settings, [{ reward: nowhere, weight: 1 }], position);
    for (const key of ["reward/mean", "reward/std", "reward/nowhere/mean"])
      expect(none.metrics).not.toHaveProperty(key);
    expect(none.metrics).toMatchObject({ loss: 0.5, "group/zero_std_fraction": 1, "completion/length_mean": 16 / 6 });
    const all = await rolloutStep(
      { ...contextOf(engine), collect: allCut(contextOf(engine)) },
      masked,
      rewards,
      position,
    );
    expect(all.metrics).toMatchObject({ "completion/masked_fraction": 1, "reward/mean": expect.any(Number) });
    expect(Object.keys(all.metrics).filter((key) => key.startsWith("policy/"))).toEqual([]);
  });

  test("beta 0 asks no reference, though there is one; above 0 it is asked once", async () => {
    expect((await step({}, true)).calls).not.toContain("reference");
    const { calls, batches, metrics } = await step({ beta: 0.3, num_iterations: 2 }, true);
    expect(calls).toEqual(["sample", "reference", "forwardBackward", "optimStep", "forwardBackward", "optimStep"]);
    for (const batch of batches) {
      expect(batch.loss.variant.klEstimator).toBe("k2");
      expect(batch.loss.numbers.beta).toBe(0.3);
      for (const { refLogProbs, tokenIds } of flat(batch)) {
        expect(refLogProbs).toEqual(new Float32Array(tokenIds.length).fill(-1.25));
      }
    }
    // Reported as k3 at the last update: policy at −0.5, reference at −1.25.
    expect(metrics["policy/kl"]).toBeCloseTo(Math.exp(-0.75) + 0.75 - 1, 6);
  });

  test("several updates are off-policy against the sampled log-probs, on one learning-rate schedule", async () => {
    const { batches, optimisers, metrics } = await step({ num_iterations: 2, epsilon_high: 0.28, delta: 3 });
    expect(batches.length).toBe(2);
    for (const batch of batches) {
      expect(batch.loss.variant.onPolicy).toBe(false);
      expect(batch.loss.numbers).toEqual({ ...defaultLossNumbers, epsilonHigh: 0.28, delta: 3 });
      for (const { oldLogProbs, tokenIds } of flat(batch)) {
        expect(oldLogProbs).toEqual(new Float32Array(tokenIds.length).fill(-1));
      }
    }
    expect(optimisers.map(({ learningRate }) => learningRate)).toEqual([0.1, expect.closeTo(0.1 * (7 / 8), 12)]);
    // The second update saw a ratio of e^0.5; the sampler is compared before the first, and the tokens with A > 0, of
    // lengths 3 and 4, are above the range: of all 16 tokens, though those of the second group were not computed.
    expect(metrics).toMatchObject({
      "policy/clip_fraction": 7 / 16,
      "policy/clip_fraction_high": 7 / 16,
      "policy/clip_fraction_low": 0,
      "policy/ratio_mean": expect.closeTo(Math.exp(0.5), 6),
    });
    expect(metrics["sampler/logprob_diff_max"]).toBe(0);
  });

  test("mini-batches: an optimiser step each, with the weights of their own update and off-policy ratios", async () => {
    const { calls, batches, optimisers, metrics } = await step({ steps_per_generation: 2, num_iterations: 2 });
    expect(calls).toEqual(["sample", ...Array(4).fill(["forwardBackward", "optimStep"]).flat()]);
    expect(batches.map((batch) => flat(batch).map(({ tokenIds }) => tokenIds.length))).toEqual([
      lengths[0],
      [],
      lengths[0],
      [],
    ]);
    for (const batch of batches) expect(batch.loss.variant.onPolicy).toBe(false);
    expect(flat(batches[0]!).map(({ weight }) => weight)).toEqual(lengths[0]!.map((length) => 1 / (3 * length)));
    expect(optimisers.map(({ learningRate }) => learningRate)).toEqual(
      [0, 1, 2, 3].map((update) => expect.closeTo(0.1 * (1 - update / 16), 12)),
    );
    // The last pass: ratios e^1 in its first mini-batch; its second has no spread, and an update all the same.
    expect(metrics["policy/ratio_mean"]).toBeCloseTo(Math.exp(1), 5);
    expect(metrics["policy/ratio_min"]).toBeCloseTo(Math.exp(1), 5);
    expect(metrics["policy/ratio_max"]).toBeCloseTo(Math.exp(1), 5);
    expect(metrics["sampler/logprob_diff_max"]).toBe(0);
  });

  test("a gradient that is no number in an early pass is the step's, and ends it", async () => {
    const fake = fakeEngine(false);
    const optimStep = async (o: OptimStep) => {
      await fake.engine.optimStep(o);
      return { gradNorm: fake.optimisers.length === 2 ? Number.POSITIVE_INFINITY : 3 };
    };
    const engine = { ...fake.engine, optimStep };
    const several = { ...settings, num_iterations: 3, steps_per_generation: 2 };
    const { metrics } = await rolloutStep(contextOf(engine), several, rewards, { index: 0, step: 1 });
    expect(metrics["optim/grad_norm"]).toBe(Number.POSITIVE_INFINITY);
    expect(fake.optimisers.length).toBe(2);
  });

  test("dapo's normaliser is the rollout's tokens, bnpo's the update's", async () => {
    const weightsOf = async (loss_type: "dapo" | "bnpo") => {
      const { batches } = await step({ steps_per_generation: 2, mask_truncated_completions: true, loss_type });
      return batches.map((batch) => flat(batch).map(({ weight }) => weight));
    };
    expect(await weightsOf("bnpo")).toEqual([[1 / 4, 1 / 4], []]);
    const { batches } = await step({ steps_per_generation: 2, loss_type: "dapo" });
    expect(batches.map((batch) => flat(batch).map(({ weight }) => weight))).toEqual([[1 / 8, 1 / 8, 1 / 8], []]);
  });

  test("an entropy bonus weighs every counted token alike", async () => {
    const { batches } = await step({ entropy_coef: 0.5, mask_truncated_completions: true });
    expect(batches[0]!.loss.variant.entropyBonus).toBe(true);
    // Those of the second group have no advantage, but a bonus; masked ones have neither.
    expect(flat(batches[0]!).map(({ entropyWeight }) => entropyWeight)).toEqual(Array(4).fill(1 / 16));
    expect(batches[0]!.groups.map(({ completions }) => completions.length)).toEqual([2, 2]);
    expect(flat((await step()).batches[0]!).map(({ entropyWeight }) => entropyWeight)).toEqual(Array(3).fill(0));
  });

  test("masked completions weigh nothing, and the others what loss_type says", async () => {
    const { batches, metrics } = await step({ mask_truncated_completions: true, loss_type: "dapo" });
    expect(flat(batches[0]!).map(({ weight }) => weight)).toEqual([1 / 8, 1 / 8]);
    expect(metrics["completion/masked_fraction"]).toBe(2 / 6);
    expect(metrics["completion/trained_fraction"]).toBe(2 / 6);
    const dr = await step({ kind: "dr_grpo", loss_type: "dr_grpo" });
    expect(flat(dr.batches[0]!).map(({ weight }) => weight)).toEqual(new Array(3).fill(1 / 24));
  });

  test("what is not chosen counts in no weight, no count and no metric but those of sampling", async () => {
    const { batches, groups, metrics } = await step({ train_completions: 2, loss_type: "bnpo" });
    expect(groups.map(({ chosen }) => chosen)).toEqual([
      [true, false, true],
      [true, true, false],
    ]);
    expect(groups[0]!.advantages).toEqual([expect.closeTo(-0.75, 9), 0, expect.closeTo(0.75, 9)]);
    // Of the chosen 1 + 4 + 2 + 2 tokens, the second group's have no gradient.
    expect(flat(batches[0]!).map(({ weight, tokenIds }) => [weight, tokenIds.length])).toEqual([
      [1 / 9, 1],
      [1 / 9, 4],
    ]);
    expect(metrics).toMatchObject({
      "completion/trained_fraction": 2 / 6,
      "completion/length_mean": 16 / 6,
      "reward/mean": 6 / 5,
      "policy/entropy": 2,
    });
    const all = await step({ train_completions: 2, train_advantages: "all" });
    expect(all.groups[0]!.advantages).toEqual([0.5, 1.5, 2].map((reward) => expect.closeTo(reward - 4 / 3, 9)));
    expect(flat(all.batches[0]!).map(({ weight }) => weight)).toEqual([1 / 4, 1 / 16]);
  });

  test("completions that are masked are not chosen", async () => {
    const o = { train_completions: 2, mask_truncated_completions: true };
    expect((await step(o)).groups.map(({ chosen }) => chosen)).toEqual([
      [true, true, false],
      [true, true, false],
    ]);
  });
});

const noShots = { in_context_examples: 0, in_context_fixed: false };

test("sftStep: each target token weighs 1 / all of them, under the model's own softmax", async () => {
  const { engine, batches, calls } = fakeEngine(false);
  const sft = {
    ...settings,
    kind: "sft" as const,
    batch_size: 3,
    target: "answer" as const,
    ...noShots,
    adversarial: null,
  };
  const { metrics } = await sftStep(contextOf(engine), sft, { index: 1, step: 2 });
  expect(calls).toEqual(["forwardBackward", "optimStep"]);
  const [batch] = batches;
  expect(batch!.loss.name).toBe("supervised");
  expect(batch!.scoring).toEqual({ temperature: 1, topP: 1, topK: 0, allowVisionTokens: true });
  expect(flat(batch!).map(({ weight, tokenIds }) => [weight, tokenIds.length])).toEqual(new Array(3).fill([1 / 6, 2]));
  expect(metrics).toMatchObject({ loss: 0.5, "completion/length_mean": 2, "optim/learning_rate": 0.1 * (3 / 4) });
});

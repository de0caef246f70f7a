/**
 * Loss and gradients do not depend on how a batch is packed, split or ordered; images are shared; frozen weights are
 * unchanged.
 */
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import {
  advantageEstimators,
  defaultLossNumbers,
  policyLosses,
  type RolloutAlgorithmName,
  rolloutAlgorithms,
} from "../../src/algorithms/index.ts";
import { tokenWeights } from "../../src/algorithms/token-weights.ts";
import type { Params } from "../../src/compiler/tensor.ts";
import { UserError } from "../../src/core/errors.ts";
import type { TensorData } from "../../src/core/tensor-data.ts";
import type { TokenBatch, TrainingGroup } from "../../src/engine/engine.ts";
import { Compute } from "../../src/engine/local/compute.ts";
import { forwardBackward, scoreCompletions } from "../../src/engine/local/forward-backward.ts";
import { trainableNames, visionNames, WeightStore } from "../../src/engine/local/weight-store.ts";
import { rolloutSettings } from "../../src/train/settings.ts";
import { caseOfEachFamily, cases, maxDifference } from "../parity/golden.ts";
import {
  batchOf,
  differentiate,
  gradientDifference,
  listDifference,
  madeCompletions,
  openGolden,
  sampledScoring,
  textPrompt,
} from "./setup.ts";

const opened = new Map(cases.map((name) => [name, openGolden(name)]));
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  for (const { compute } of opened.values()) await compute.close();
});

const single = ({ prompt, completions }: TrainingGroup): TrainingGroup[] =>
  completions.map((completion) => ({ prompt, completions: [completion] }));

describe.each(cases)("packed rows of %s", (name) => {
  const on = opened.get(name)!;
  const vocabulary = on.model.language.vocabularySize;
  const groups: readonly TrainingGroup[] = [
    { prompt: on.golden.prompt, completions: madeCompletions([5, 1, 9, 3], "packed", vocabulary) },
    { prompt: textPrompt(on, 7), completions: madeCompletions([2, 6], "text", vocabulary) },
  ];

  test("[prompt | c1 … cG] has the log-probs, entropies and gradients of separate rows", async () => {
    const packed = await differentiate(on, [batchOf(groups)]);
    // Rows of one completion each: prompt and images are recomputed for every completion.
    const separate = await differentiate(on, [batchOf(groups.flatMap(single))], { microBatchTokens: 1 });
    expect(Math.abs(packed.loss - separate.loss)).toBeLessThan(1e-4);
    expect(listDifference(packed.logProbs, separate.logProbs)).toBeLessThan(1e-4);
    expect(listDifference(packed.entropies, separate.entropies)).toBeLessThan(1e-4);
    expect(packed.gradients.size).toBe(Object.keys(on.model.weights).length);
    const { difference, name } = gradientDifference(packed.gradients, separate.gradients);
    expect(difference, name).toBeLessThan(1e-3);
  });

  test("a completion's scores do not depend on the other completions of its row", async () => {
    const score = async (which: readonly TrainingGroup[], microBatchTokens: number) =>
      (await scoreCompletions(on.compute, on.values, which, sampledScoring, { microBatchTokens })).logProbs;
    const expected = await score(groups, 4096);
    const neighbours = groups.map(({ prompt, completions }) => ({ prompt, completions: [...completions].reverse() }));
    const reversed = await score(neighbours, 4096);
    const order = [3, 2, 1, 0, 5, 4];
    expect(
      listDifference(
        reversed,
        order.map((i) => expected[i]!),
      ),
    ).toBeLessThan(1e-4);
    expect(listDifference(await score(groups.flatMap(single), 1), expected)).toBeLessThan(1e-4);
    // Scoring and training are the same computation.
    expect(listDifference((await differentiate(on, [batchOf(groups)])).logProbs, expected)).toBeLessThan(1e-6);
  });
});

describe("splitting the batch", () => {
  const on = opened.get("two_images")!;
  const vocabulary = on.model.language.vocabularySize;
  const prompts = [on.golden.prompt, textPrompt(on, 7), textPrompt(on)];
  const lengths = [
    [5, 1, 9],
    [2, 6, 3],
    [4, 4, 8],
  ];
  const made = prompts.map((prompt, i) => ({
    prompt,
    completions: madeCompletions(lengths[i]!, `group ${i}`, vocabulary),
  }));

  /** The batch with an algorithm's weights, advantages and loss, off-policy, with every term. */
  function algorithmBatch(name: RolloutAlgorithmName): TokenBatch {
    const settings = rolloutSettings(name);
    const rewards = lengths.map((group) => group.map((length) => length % 4));
    const scored = rewards.map((reward, g) => ({ reward, rewards: { length: reward }, lengths: lengths[g]! }));
    const A = advantageEstimators[settings.advantage].advantages(scored, settings, { length: 1 });
    const masked = lengths.flat().map((length) => length === 9);
    const weights = tokenWeights(lengths.flat(), masked, { lossType: settings.loss_type, maxCompletionLength: 9 });
    const numbers = policyLosses[settings.token_loss].numbers(settings);
    const level = settings.importance_sampling_level;
    let next = 0;
    return {
      groups: made.map(({ prompt, completions }, g) => ({
        prompt,
        completions: completions.map((completion, i) => {
          const weight = weights[next++]!;
          return { ...completion, weight, entropyWeight: weight === 0 ? 0 : 0.01, advantage: A[g]![i]! };
        }),
      })),
      scoring: sampledScoring,
      loss: {
        name: settings.token_loss,
        variant: { onPolicy: false, level, klEstimator: "k3", entropyBonus: true },
        numbers: { ...defaultLossNumbers, ...numbers, beta: 0.1, delta: 4 },
      },
    };
  }
  const tokens = lengths.flat().reduce((a, b) => a + b, 0);
  const batches: Readonly<Record<RolloutAlgorithmName | "sft", TokenBatch>> = {
    ...(Object.fromEntries(
      Object.keys(rolloutAlgorithms).map((name) => [name, algorithmBatch(name as RolloutAlgorithmName)]),
    ) as Record<RolloutAlgorithmName, TokenBatch>),
    sft: batchOf(
      made.map(({ prompt, completions }) => ({
        prompt,
        completions: completions.map((completion) => ({ ...completion, weight: 1 / tokens })),
      })),
      "supervised",
    ),
  };

  describe.each(Object.entries(batches))("%s", (_, batch) => {
    const expected = differentiate(on, [batch]);
    const part = (from: number, to: number): TokenBatch => ({ ...batch, groups: batch.groups.slice(from, to) });

    test.each([1, 90, 170, 400])("micro-batches of %i tokens", async (microBatchTokens) => {
      const whole = await expected;
      const found = await differentiate(on, [batch], { microBatchTokens });
      expect(Math.abs(found.loss / whole.loss - 1)).toBeLessThan(1e-4);
      expect(listDifference(found.logProbs, whole.logProbs)).toBeLessThan(1e-4);
      const { difference, name } = gradientDifference(found.gradients, whole.gradients);
      expect(difference, name).toBeLessThan(1e-4);
    });

    test.each([
      ["two calls", [part(0, 1), part(1, 3)]],
      ["three calls", [part(0, 1), part(1, 2), part(2, 3)]],
      ["an empty call", [part(0, 0), part(0, 3)]],
    ])("%s add up", async (_, calls) => {
      const whole = await expected;
      const found = await differentiate(on, calls);
      expect(Math.abs(found.loss / whole.loss - 1)).toBeLessThan(1e-4);
      expect(listDifference(found.logProbs, whole.logProbs)).toBeLessThan(1e-4);
      const { difference, name } = gradientDifference(found.gradients, whole.gradients);
      expect(difference, name).toBeLessThan(1e-4);
    });

    test("the order of groups and completions does not matter", async () => {
      const whole = await expected;
      const groups = [...batch.groups].reverse().map(({ prompt, completions }) => ({
        prompt,
        completions: [...completions].reverse(),
      }));
      const found = await differentiate(on, [{ ...batch, groups }], { microBatchTokens: 200 });
      expect(Math.abs(found.loss / whole.loss - 1)).toBeLessThan(1e-4);
      expect(listDifference([...found.logProbs].reverse(), whole.logProbs)).toBeLessThan(1e-4);
      const { difference, name } = gradientDifference(found.gradients, whole.gradients);
      expect(difference, name).toBeLessThan(1e-4);
    });
  });

  test("neither a completion of weight 0 nor an empty one changes anything", async () => {
    const [group, ...rest] = batches.grpo.groups;
    const idle = madeCompletions([7], "idle", vocabulary).map((completion) => ({ ...completion, weight: 0 }));
    const empty = madeCompletions([0], "empty", vocabulary);
    const more = { ...group!, completions: [...idle, ...group!.completions, ...empty] };
    const found = await differentiate(on, [{ ...batches.grpo, groups: [more, ...rest] }]);
    const whole = await differentiate(on, [batches.grpo]);
    expect(found.loss).toBeCloseTo(whole.loss, 6);
    expect(found.logProbs.map(({ length }) => length)).toEqual([7, 5, 1, 9, 0, 2, 6, 3, 4, 4, 8]);
    expect(gradientDifference(found.gradients, whole.gradients).difference).toBeLessThan(1e-4);
  });

  test("on-policy equals off-policy with the policy's own log-probs", async () => {
    const { loss, groups } = batches.grpo;
    const { logProbs } = await differentiate(on, [batches.grpo]);
    let next = 0;
    const sampled = groups.map(({ prompt, completions }) => ({
      prompt,
      completions: completions.map((completion) => ({ ...completion, oldLogProbs: logProbs[next++]! })),
    }));
    const [onPolicy, offPolicy] = [true, false].map((onPolicy) =>
      differentiate(on, [
        { ...batches.grpo, groups: sampled, loss: { ...loss, variant: { ...loss.variant, onPolicy } } },
      ]),
    );
    expect(Math.abs((await onPolicy!).loss - (await offPolicy!).loss)).toBeLessThan(1e-5);
    const { difference, name } = gradientDifference((await onPolicy!).gradients, (await offPolicy!).gradients);
    expect(difference, name).toBeLessThan(1e-4);
  });

  // cispo's weights are constants for the gradient but not for the value: its reported loss is not the differentiated
  // one.
  test.each(["grpo", "gspo", "sapo", "reinforce"] as const)(
    "the loss reported for %s is the one that is differentiated",
    async (name) => {
      // Along its own gradient, the loss grows by the squared gradient norm. The clip range is wide, so that ratios
      // matter.
      const { loss } = batches[name];
      const batch = {
        ...batches[name],
        loss: { ...loss, numbers: { ...loss.numbers, epsilonLow: 0.9, epsilonHigh: 1.5 } },
      };
      const { gradients } = await differentiate(on, [batch]);
      const moved = (step: number): Params<TensorData> =>
        Object.fromEntries(
          Object.entries(on.values).map(([name, value]) => {
            const gradient = gradients.get(name)!;
            return [name, { ...value, data: Float32Array.from(value.data, (v, i) => v + step * gradient[i]!) }];
          }),
        );
      let square = 0;
      for (const gradient of gradients.values()) for (const g of gradient) square += g * g;
      const step = 2e-3 / Math.sqrt(square);
      const [above, below] = [
        (await differentiate({ ...on, values: moved(step) }, [batch])).loss,
        (await differentiate({ ...on, values: moved(-step) }, [batch])).loss,
      ];
      expect((above - below) / (2 * step * square)).toBeCloseTo(1, 2);
    },
  );
});

describe.each(["two_images", "windows_two_images", "deepstack_two_images"] as const)("images of %s", (name) => {
  const on = opened.get(name)!;
  const vocabulary = on.model.language.vocabularySize;
  const longer = { ...on.golden.prompt, tokenIds: Int32Array.from([...on.golden.prompt.tokenIds, 40, 41, 42]) };
  const groups = [on.golden.prompt, longer].map((prompt, i) => ({
    prompt,
    completions: madeCompletions([4, 6], `image ${i}`, vocabulary),
  }));

  test("one used in two prompts is encoded once, and its gradients add up", async () => {
    const forward = vi.spyOn(Compute.prototype, "forward");
    const together = await differentiate(on, [batchOf(groups)], { microBatchTokens: 100 });
    const patches = forward.mock.calls.flatMap(([key, , feeds]) =>
      key === "vision.stem" ? [feeds["patches"]!.shape[0]!] : [],
    );
    const own = on.golden.prompt.images.map(({ grid }) => grid[0] * grid[1] * grid[2]);
    expect(patches.reduce((a, b) => a + b, 0)).toBe(own.reduce((a, b) => a + b, 0));
    const apart = await differentiate(
      on,
      groups.map((group) => batchOf([group])),
    );
    const { difference, name } = gradientDifference(together.gradients, apart.gradients);
    expect(difference, name).toBeLessThan(1e-4);
    for (const name of visionNames(on.model)) expect(together.gradients.has(name), name).toBe(true);
  });

  test("the same image twice in one prompt gets the gradients of both places", async () => {
    // Compared with a copy under another hash, which is encoded separately.
    const image = on.golden.prompt.images[0]!;
    const [start, end] = [on.golden.prompt.tokenIds.indexOf(387), on.golden.prompt.tokenIds.indexOf(388)];
    const block = on.golden.prompt.tokenIds.subarray(start, end + 1);
    const prompt = (second: typeof image) => ({
      text: "",
      tokenIds: Int32Array.from([50, ...block, 51, ...block, 52]),
      images: [image, second],
    });
    const completions = madeCompletions([5], "twice", vocabulary);
    const shared = await differentiate(on, [batchOf([{ prompt: prompt(image), completions }])]);
    const copied = await differentiate(on, [batchOf([{ prompt: prompt({ ...image, sha256: "copy" }), completions }])]);
    expect(listDifference(shared.logProbs, copied.logProbs)).toBeLessThan(1e-4);
    expect(gradientDifference(shared.gradients, copied.gradients).difference).toBeLessThan(1e-3);
  });

  test("images of equal size share a run, each with the same result as alone", async () => {
    // As many patches in another shape, with other positions and windows.
    const { prompt } = on.golden;
    const changed = {
      ...prompt,
      images: prompt.images.map(({ grid: [t, h, w], ...image }) => {
        return {
          ...image,
          grid: [t, w, h] as const,
          sha256: `${image.sha256} turned`,
          patches: image.patches.map((v) => -v),
        };
      }),
    };
    const groups = [on.golden.prompt, changed].map((prompt) => ({
      prompt,
      completions: madeCompletions([4], "sizes", vocabulary),
    }));
    const together = await differentiate(on, [batchOf(groups)]);
    const apart = await differentiate(
      on,
      groups.map((group) => batchOf([group])),
    );
    expect(maxDifference(together.logProbs[0]!, together.logProbs[1]!)).toBeGreaterThan(1e-3);
    expect(listDifference(together.logProbs, apart.logProbs)).toBeLessThan(1e-4);
    expect(gradientDifference(together.gradients, apart.gradients).difference).toBeLessThan(1e-3);
  });

  test("a batch without images leaves the tower without gradients", async () => {
    const text = [{ prompt: textPrompt(on), completions: madeCompletions([4], "text", vocabulary) }];
    const { gradients } = await differentiate(on, [batchOf(text)]);
    expect(visionNames(on.model).filter((name) => gradients.has(name))).toEqual([]);
    const language = Object.keys(on.model.weights).filter((name) => !visionNames(on.model).includes(name));
    expect([...gradients.keys()].sort()).toEqual(language.sort());
  });
});

test.each(caseOfEachFamily)(
  "%s: a frozen tower runs no backward program and changes no other gradient",
  async (name) => {
    const on = opened.get(name)!;
    const completions = madeCompletions([4, 2], "frozen", on.model.language.vocabularySize);
    const batch = batchOf([{ prompt: on.golden.prompt, completions }]);
    const all = await differentiate(on, [batch]);
    const backward = vi.spyOn(Compute.prototype, "backward");
    const some = await differentiate(on, [batch], { freeze: ["vision"] });
    const keys = backward.mock.calls.map(([key]) => key);
    expect(keys.filter((key) => key.startsWith("vision"))).toEqual([]);
    expect(keys.filter((key) => key.startsWith("language")).length).toBe(on.model.language.depth);
    const expected = new Map([...all.gradients].filter(([name]) => !visionNames(on.model).includes(name)));
    expect(gradientDifference(some.gradients, expected).difference).toBeLessThan(1e-6);
  },
);

describe("frozen weights", () => {
  const on = opened.get("grouped_tied")!;
  const { model, values } = on;
  const names = Object.keys(model.weights);
  const batch = batchOf([
    { prompt: on.golden.prompt, completions: madeCompletions([4, 2], "frozen", model.language.vocabularySize) },
  ]);
  const optimiser = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

  test.each<[string, readonly string[], (name: string) => boolean]>([
    ["the vision tower", ["vision"], (name) => name.startsWith("visual.")],
    ["all but the tower", ["model."], (name) => name.startsWith("model.")],
    ["blocks and embeddings", ["layers.0.", "embed_tokens"], (name) => /layers\.0\.|embed_tokens/.test(name)],
    ["every bias", ["bias"], (name) => name.endsWith("bias")],
  ])("%s: two steps change exactly the others", async (_, freeze, isFrozen) => {
    const trainable = trainableNames(model, freeze);
    expect([...trainable].sort()).toEqual(names.filter((name) => !isFrozen(name)).sort());
    const copies = new WeightStore(model, values, trainableNames(model, [])).copyValues();
    const store = new WeightStore(model, copies, trainable);
    for (let step = 0; step < 2; step++) {
      await forwardBackward(on.compute, store, batch, { microBatchTokens: 4096 });
      for (const name of names) expect(store.gradient(name) !== null, name).toBe(trainable.has(name));
      expect((await store.step(optimiser)).gradNorm).toBeGreaterThan(0);
    }
    const moved = names.filter((name) => maxDifference(copies[name]!.data, values[name]!.data) > 0);
    expect(moved.sort()).toEqual([...trainable].sort());
    expect([...store.optimizer.names].sort()).toEqual([...trainable].sort());
  });

  test("freezing changes no other weight's gradient, whichever was compiled first", async () => {
    const compute = new Compute(model, 1);
    const head = ["vision", "embed_tokens", "model.norm"];
    await differentiate({ ...on, compute }, [batch], { freeze: head });
    const all = await differentiate({ ...on, compute }, [batch]);
    await compute.close();
    for (const freeze of [["vision"], ["layers.1."], head]) {
      const some = await differentiate(on, [batch], { freeze });
      const expected = new Map([...all.gradients].filter(([name]) => some.gradients.has(name)));
      expect(gradientDifference(some.gradients, expected).difference).toBeLessThan(1e-6);
    }
  });

  test("a frozen tower runs no backward program", async () => {
    const backward = vi.spyOn(Compute.prototype, "backward");
    const vision = () => backward.mock.calls.filter(([key]) => key.startsWith("vision")).length;
    await differentiate(on, [batch], { freeze: ["vision"] });
    expect(vision()).toBe(0);
    expect(backward.mock.calls.length).toBeGreaterThan(0);
    await differentiate(on, [batch]);
    expect(vision()).toBe(model.vision.depth + 2);
  });

  test("a pattern that matches nothing, or everything, is a user error", () => {
    expect(() => trainableNames(model, ["vision", "lm_hed"])).toThrow(UserError);
    expect(() => trainableNames(model, ["lm_hed"])).toThrow('no weight of qwen2_vl has "lm_hed" in its name');
    expect(() => trainableNames(model, ["vision", "model."])).toThrow("every weight is frozen");
  });
});

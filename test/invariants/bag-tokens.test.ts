/** Bags that a frozen language model reads as tokens: gradients through the model, what is trained, what stays. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Processor } from "../../src/core/processor.ts";
import { normal, randomKey } from "../../src/core/random.ts";
import type { Completion, Prompt, SamplingOptions } from "../../src/core/records.ts";
import type { Bag } from "../../src/data/bags.ts";
import { type Attached, attach } from "../../src/engine/attached.ts";
import type { TokenBatch, TrainingEngine } from "../../src/engine/engine.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../src/models/index.ts";
import { type BagReader, likelihoodEpoch, readBagNumbers, rewardEpoch } from "../../src/train/bag-tokens.ts";
import { type BagEpoch, targetScale } from "../../src/train/bags.ts";
import { goldenCase } from "../parity/golden.ts";
import { engineOptions, listDifference } from "./setup.ts";

const { checkpoint, prompt } = goldenCase("grouped_tied");
const bags = Array.from({ length: 6 }, (_, b): Bag => {
  const features = Float32Array.from({ length: 10 * 4 }, (_, i) => normal(randomKey(b, "bag"), i));
  const about = { id: `b${b}`, subjectId: `s${b}`, split: "train", question: "How many?", target: b % 3 };
  return { ...about, features, vectors: 10, width: 4 };
});
const still = { learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };
const epochOf = (epoch: number, learningRate: number, more: Partial<BagEpoch> = {}): BagEpoch => ({
  ...{ bags, weights: bags.map(() => 1), scale: targetScale(bags.map(({ target }) => target)), bagSize: 512 },
  ...{ batchSize: 3, optimiser: { ...still, learningRate }, seed: 1, epoch },
  ...more,
});

let engine: LocalEngine;
let processor: Processor;
const heads: Attached[] = [];
const readerOf = async (tokens = 2): Promise<BagReader> => {
  const config = { width: 4, hidden: 3, tokens, output: engine.tower!.width };
  const head = await attach("bag_tokens", config, { seed: 1 });
  heads.push(head);
  return { engine, processor, head, tokens, prompts: new Map() };
};
const logProbs = async () => {
  const completions = [{ tokenIds: Int32Array.of(20, 30, 40), weight: 1, advantage: 0 }];
  const scored = await engine.policy.logProbs([{ prompt, completions }], { temperature: 1, topP: 1, topK: 0 });
  return scored.logProbs;
};

beforeAll(async () => {
  processor = await openProcessor(checkpoint);
  engine = await openLocalEngine(engineOptions(checkpoint), processor);
});
afterAll(async () => {
  for (const head of heads) await head.close();
  await engine.close();
});

test("the gradient of the text's likelihood by the head's weights is that of central differences", async () => {
  const reader = await readerOf();
  const all = epochOf(0, 0, { bags: bags.slice(0, 2), weights: [1, 1], batchSize: 2 });
  // One step of plain Adam moves each weight against its gradient's sign; the gradient itself comes from its first moment.
  await likelihoodEpoch(reader, { ...all, optimiser: { ...still, beta1: 0 } });
  const gradients = new Map(
    reader.head.state(true).map(({ name, data }) => [name, Float32Array.from(data as Float32Array)]),
  );
  for (const name of ["weight", "w", "V", "U", "bias"]) {
    const gradient = gradients.get(`first.${name}`)!;
    const values = reader.head.values[name]!.data as Float32Array;
    const direction = gradient.map((_, i) => normal(randomKey(7, name), i));
    const along = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    const lossAt = async (by: number) => {
      const before = values.slice();
      for (const [i, value] of direction.entries()) values[i]! += by * value;
      const loss = await likelihoodEpoch(reader, all);
      values.set(before);
      return loss;
    };
    const step = name === "weight" || name === "bias" ? 0.002 : 0.02; // the first two begin at a tenth of the others' size
    const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    expect(Math.abs(along - difference), name).toBeLessThan(0.03 * Math.abs(difference) + 2e-4);
  }
});

test("training lowers the text's loss, whatever the order of vectors, and leaves the model bit for bit", async () => {
  const before = await logProbs();
  const [reader, other] = [await readerOf(3), await readerOf(3)];
  const first = await likelihoodEpoch(reader, epochOf(0, 0));
  let last = first;
  for (let epoch = 0; epoch < 8; epoch++) last = await likelihoodEpoch(reader, epochOf(0, 0.02));
  expect(last).toBeLessThan(0.95 * first); // a model of random weights cannot be made to say all there is
  const turned = bags.map((bag) => {
    const rows = Array.from({ length: 10 }, (_, i) => bag.features.subarray(4 * (9 - i), 4 * (10 - i)));
    return { ...bag, features: Float32Array.from(rows.flatMap((row) => Array.from(row))) };
  });
  expect(await likelihoodEpoch(other, epochOf(0, 0, { bags: turned }))).toBeCloseTo(first, 4);
  expect(listDifference(await logProbs(), before)).toBe(0);
});

test("the reward pays each sampled number against its bag's mean, and answers are read as numbers", async () => {
  const reader = await readerOf();
  const said = ["2</answer>", "0</answer>", "no number</answer>", "1</answer>"];
  const batches: TokenBatch[] = [];
  const scripted = {
    policy: {
      async *sample(prompts: readonly Prompt[], { numGenerations }: SamplingOptions) {
        for (const index of prompts.keys()) {
          const completions = Array.from({ length: numGenerations }, (_, g) => {
            return { text: said[g % 4]!, tokenIds: Int32Array.of(g, g + 1) } as unknown as Completion;
          });
          yield { index, completions };
        }
      },
    },
    gradients: async (batch: TokenBatch) => {
      batches.push(batch);
      return engine.gradients!(batch, "image_tokens");
    },
  } as unknown as TrainingEngine;
  const two = bags.slice(1, 3); // targets 1 and 2
  const start = reader.head.values["weight"]!.data.slice();
  const epoch = epochOf(0, 0.01, { bags: two, weights: [1, 1], batchSize: 2, scale: { mean: 1, std: 2 } });
  const reward = await rewardEpoch({ ...reader, engine: scripted }, epoch);
  const weights = batches[0]!.groups.map(({ completions }) => completions.map(({ weight }) => weight as number));
  const targets = batches[0]!.groups.map(({ prompt }) => Number(prompt.images[0]!.sha256[5]) % 3);
  const rewards = targets.map((target) => [2, 0, null, 1].map((v) => (v === null ? 0 : 1 - Math.abs(v - target) / 2)));
  const means = rewards.map((own) => own.reduce((sum, value) => sum + value, 0) / 4);
  expect(reward).toBeCloseTo((means[0]! + means[1]!) / 2, 9);
  for (const [i, own] of weights.entries()) {
    for (const [g, weight] of own.entries()) expect(weight).toBeCloseTo((rewards[i]![g % 4]! - means[i]!) / 16, 9);
  }
  expect(reader.head.values["weight"]!.data).not.toEqual(start);
  said.splice(0, 1, "about 3</answer>");
  expect(await readBagNumbers({ ...reader, engine: scripted }, two)).toEqual([3, 3]);
  said.splice(0, 1, "no number");
  expect(await readBagNumbers({ ...reader, engine: scripted }, two)).toEqual([null, null]);
});

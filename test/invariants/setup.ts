/** Opens golden checkpoints for tests of the engine's parts, and compares results. */

import { plainVariant } from "../../src/algorithms/algorithm.ts";
import { defaultLossNumbers, type TokenLossName } from "../../src/algorithms/index.ts";
import type { Params } from "../../src/compiler/tensor.ts";
import type { Device } from "../../src/core/device.ts";
import { integer, normal, randomKey } from "../../src/core/random.ts";
import type { Prompt } from "../../src/core/records.ts";
import type { TensorData } from "../../src/core/tensor-data.ts";
import type { EngineOptions } from "../../src/engine/backend.ts";
import {
  type LogProbOptions,
  plainScoring,
  type TokenBatch,
  type TrainingCompletion,
  type TrainingGroup,
} from "../../src/engine/engine.ts";
import { holdAll } from "../../src/engine/local/arrays/arrays.ts";
import { Compute } from "../../src/engine/local/compute.ts";
import { forwardBackward } from "../../src/engine/local/forward-backward.ts";
import { type DecodeOptions, type SampledGroup, sampleCompletions } from "../../src/engine/local/sampler.ts";
import { encodeImages } from "../../src/engine/local/vision-runner.ts";
import { readWeights, trainableNames, WeightStore } from "../../src/engine/local/weight-store.ts";
import { openModel } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { type CaseName, type GoldenCase, goldenCase, gradientScale, largest, maxDifference } from "../parity/golden.ts";

export interface Opened {
  readonly golden: GoldenCase;
  readonly model: Model;
  readonly values: Params<TensorData>;
  readonly compute: Compute;
}

export function openGolden(name: CaseName, device: Device = "cpu"): Opened {
  const golden = goldenCase(name);
  const model = openModel(golden.checkpoint);
  const compute = new Compute(model, 1, device);
  return { golden, model, values: holdAll(compute.arrays, readWeights(model, golden.checkpoint)), compute };
}

/** A whole engine on a golden checkpoint. */
export function engineOptions(modelFolder: string): EngineOptions {
  return {
    ...{ modelFolder, initialise: "pretrained", seed: 3, freeze: [] },
    ...{ threads: 1, microBatchTokens: 1024, rows: 8 },
  };
}

/** The prompt without its images, truncated to at most `tokens` tokens. */
export function textPrompt({ golden, model }: Opened, tokens = 1000): Prompt {
  const ids = golden.prompt.tokenIds.filter((id) => !model.visionTokenIds.includes(id));
  return { text: "", tokenIds: ids.slice(0, tokens), images: [] };
}

export const greedy: DecodeOptions = {
  numGenerations: 1,
  maxCompletionLength: 8,
  temperature: 0,
  topP: 1,
  topK: 0,
  seed: 1,
  step: 0,
  rows: 8,
  stopTokenIds: [],
};

/** The groups of all prompts, in the prompts' order. */
export async function sampleAll(
  { compute, values }: Opened,
  prompts: readonly Prompt[],
  o: DecodeOptions,
): Promise<readonly SampledGroup[]> {
  const groups: SampledGroup[] = [];
  const { features } = await encodeImages(
    compute,
    values,
    prompts.flatMap(({ images }) => images),
  );
  await sampleCompletions(compute, values, prompts, features, o, (group) => {
    if (groups[group.index] !== undefined) throw new Error(`prompt ${group.index} was answered twice`);
    groups[group.index] = group;
  });
  return groups;
}

/** Sampled groups as a training batch. */
export function asTrainingGroups(prompts: readonly Prompt[], sampled: readonly SampledGroup[]): TrainingGroup[] {
  return prompts.map((prompt, i) => ({
    prompt,
    completions: sampled[i]!.completions.map(({ tokenIds, logProbs }) => {
      return { tokenIds, oldLogProbs: logProbs, weight: 1, advantage: 1 };
    }),
  }));
}

/** Completions of given lengths with random tokens, weights, advantages and log-probs: everything a loss reads. */
export function madeCompletions(lengths: readonly number[], name: string, vocabulary: number): TrainingCompletion[] {
  return lengths.map((length, i) => {
    const key = randomKey(9, name, i);
    const near = (mean: number, at: number) =>
      Float32Array.from({ length }, (_, t) => mean + 0.3 * normal(key, at + t));
    return {
      // Low ids, so none is a special token.
      tokenIds: Int32Array.from({ length }, (_, t) => integer(key, 5000 + t, Math.min(380, vocabulary))),
      weight: 0.05 + 0.1 / (i + 1),
      advantage: i % 2 === 0 ? 1.2 : -0.8,
      oldLogProbs: near(-6, 1000),
      refLogProbs: near(-6, 3000),
    };
  });
}

export const sampledScoring: LogProbOptions = { temperature: 0.9, topP: 1, topK: 0 };

/** An off-policy batch with a loss of all terms: ratio, clipping and KL. */
export function batchOf(groups: readonly TrainingGroup[], name: TokenLossName = "clip"): TokenBatch {
  const supervised = name === "supervised";
  return {
    groups,
    scoring: supervised ? plainScoring : sampledScoring,
    loss: {
      name,
      variant: { ...plainVariant, onPolicy: false, klEstimator: supervised ? null : "k3" },
      numbers: { ...defaultLossNumbers, beta: 0.1, epsilonHigh: 0.3, delta: 4 },
    },
  };
}

export interface Differentiated {
  readonly loss: number;
  readonly logProbs: readonly Float32Array[];
  readonly entropies: readonly Float32Array[];
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Loss and gradients of batches, accumulated sequentially. */
export async function differentiate(
  { compute, model, values }: Opened,
  batches: readonly TokenBatch[],
  o: { readonly microBatchTokens?: number; readonly freeze?: readonly string[] } = {},
): Promise<Differentiated> {
  const store = new WeightStore(model, values, trainableNames(model, o.freeze ?? []), compute.arrays);
  const results = [];
  for (const batch of batches) {
    results.push(await forwardBackward(compute, store, batch, { microBatchTokens: o.microBatchTokens ?? 4096 }));
  }
  await store.fetchGradients();
  const gradients = Object.keys(model.weights).flatMap((name) => {
    const gradient = store.gradient(name);
    return gradient === null ? [] : [[name, gradient] as const];
  });
  return {
    loss: results.reduce((total, { loss }) => total + loss, 0),
    logProbs: results.flatMap(({ logProbs }) => logProbs),
    entropies: results.flatMap(({ entropies }) => entropies),
    gradients: new Map(gradients),
  };
}

/**
 * The largest difference of two sets of gradients, relative to each weight's largest element, with the weight's name.
 */
export function gradientDifference(
  found: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): { readonly difference: number; readonly name: string } {
  const names = [...expected.keys()];
  if ([...found.keys()].join() !== names.join()) throw new Error("the gradients are of different weights");
  const overall = Math.max(...names.map((name) => largest(expected.get(name)!)));
  const each = names.map((name) => {
    const size = largest(expected.get(name)!);
    const apart = maxDifference(found.get(name)!, expected.get(name)!);
    return { name, difference: size === 0 && apart === 0 ? 0 : apart / gradientScale(name, size, overall) };
  });
  return each.reduce((a, b) => (b.difference <= a.difference ? a : b));
}

/** The largest difference between lists of arrays. */
export function listDifference(found: readonly Float32Array[], expected: readonly Float32Array[]): number {
  if (found.length !== expected.length) throw new Error(`${found.length} arrays for ${expected.length}`);
  return Math.max(0, ...found.map((array, i) => maxDifference(array, expected[i]!)));
}

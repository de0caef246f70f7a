/** Times GRPO steps of a checkpoint on given rows: random rewards, completions of full length, nothing written. */

import { defaultLossNumbers, plainVariant } from "../algorithms/algorithm.ts";
import { promptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import { normal, randomKey } from "../core/random.ts";
import type { Completion, Prompt } from "../core/records.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { type QuantizedKind, quantizedBits } from "../engine/local/local-core.ts";
import { openLocalEngine } from "../engine/local/local-engine.ts";
import { matmulPeak } from "../engine/local/matmul-peak.ts";
import { type LargestStep, planMemory } from "../engine/local/memory-plan.ts";
import { openModel, openProcessor } from "../models/index.ts";
import type { LoraOptions } from "../models/lora.ts";
import type { Model, Stack } from "../models/model.ts";
import { type Row, rowPrompt } from "./rows.ts";

export interface BenchOptions {
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
  readonly promptsPerStep: number;
  readonly steps: number;
  readonly lora: LoraOptions | null;
  readonly quantize: QuantizedKind | null;
  readonly activationMemoryGb: number;
  /** Tokens of one forward and backward pass. */
  readonly microBatchTokens: number;
  readonly threads: number;
  readonly device: Device;
}

/** What `viva bench step` prints. */
export interface StepBench {
  readonly parameters: number;
  readonly step_seconds: readonly number[];
  /** Per step, in the order of `step_seconds`. */
  readonly sample_seconds: readonly number[];
  readonly train_seconds: readonly number[];
  /** Processor time of a step, all threads together: what a busy machine changes least. */
  readonly cpu_seconds: readonly number[];
  readonly max_rss_gb: number;
  /** What was foretold of it, from the model's configuration and the longest prompt. */
  readonly planned_gb: number;
  /** Completion tokens per second of sampling, median over the steps. */
  readonly tokens_per_second: number;
  readonly matmul_peak_gflops: number;
  /** Products of the weights in one forward and one backward pass, over the median training time; recomputation not counted. */
  readonly train_gflops: number;
}

/** Runs the steps; the first one compiles the programs and counts in no median. */
export async function benchSteps(
  folder: string,
  file: string,
  rows: readonly Row[],
  o: BenchOptions,
): Promise<StepBench> {
  const processor = await openProcessor(folder);
  const encode = (row: Row) => rowPrompt({ processor, prompt: promptStyle("plain") }, file, row);
  const options = {
    modelFolder: folder,
    initialise: "pretrained",
    seed: 0,
    freeze: [],
    lora: o.lora,
    quantizeFrozen: quantizedBits(o.quantize),
    activationBytes: o.activationMemoryGb * 1e9,
    threads: o.threads,
    device: o.device,
    microBatchTokens: o.microBatchTokens,
    rows: o.promptsPerStep * o.numGenerations,
  } as const;
  // Without stop tokens every completion has its full length, so that runs compare.
  const engine = await openLocalEngine(options, { decode: () => "", stopTokenIds: [] });
  try {
    const peak = await matmulPeak(o.threads, o.device);
    const times: StepTimes[] = [];
    const prompts: Prompt[] = [];
    for (let step = 0; step < o.steps; step++) {
      const first = step * o.promptsPerStep;
      const chosen = Array.from({ length: o.promptsPerStep }, (_, i) => rows[(first + i) % rows.length]!);
      const encoded = await Promise.all(chosen.map(encode));
      prompts.push(...encoded);
      times.push(await timeStep(engine, openModel(folder), encoded, o, step));
    }
    const rest = times.length > 1 ? times.slice(1) : times;
    const tokens = o.promptsPerStep * o.numGenerations * o.maxCompletionLength;
    return {
      parameters: engine.parameters,
      step_seconds: times.map(({ sample, train }) => sample + train),
      sample_seconds: times.map(({ sample }) => sample),
      train_seconds: times.map(({ train }) => train),
      cpu_seconds: times.map(({ cpu }) => cpu),
      max_rss_gb: process.resourceUsage().maxRSS / 1e6,
      planned_gb: planMemory(options, largestOf(openModel(folder), prompts, o)).total / 1e9,
      tokens_per_second: tokens / median(rest.map(({ sample }) => sample)),
      matmul_peak_gflops: peak,
      train_gflops: median(rest.map(({ operations, train }) => operations / train)) / 1e9,
    };
  } finally {
    await engine.close();
  }
}

function largestOf({ vision }: Model, prompts: readonly Prompt[], o: BenchOptions): LargestStep {
  const patches = ({ images }: Prompt) => images.reduce((total, { grid: [t, h, w] }) => total + t * h * w, 0);
  return {
    prompts: o.promptsPerStep,
    promptTokens: Math.max(...prompts.map(({ tokenIds }) => tokenIds.length)),
    imageTokens: Math.max(...prompts.map(patches)) / vision.patchesPerToken,
    numGenerations: o.numGenerations,
    completionTokens: o.maxCompletionLength,
    reference: false,
  };
}

interface StepTimes {
  /** Seconds. */
  readonly sample: number;
  readonly train: number;
  readonly cpu: number;
  readonly operations: number;
}

async function timeStep(
  engine: TrainingEngine,
  model: Model,
  prompts: readonly Prompt[],
  { numGenerations, maxCompletionLength }: BenchOptions,
  step: number,
): Promise<StepTimes> {
  const started = performance.now();
  const before = process.cpuUsage();
  const sampling = { numGenerations, maxCompletionLength, temperature: 1, topP: 1, topK: 0, seed: 0, step };
  const groups: (readonly Completion[])[] = [];
  for await (const { index, completions } of engine.policy.sample(prompts, sampling)) groups[index] = completions;
  const sampled = performance.now();
  const key = randomKey(0, "advantage", step);
  const weight = 1 / (prompts.length * numGenerations * maxCompletionLength);
  await engine.forwardBackward({
    groups: prompts.map((prompt, g) => ({
      prompt,
      completions: groups[g]!.map(({ tokenIds, logProbs }, i) => {
        return { tokenIds, oldLogProbs: logProbs, weight, advantage: normal(key, g * numGenerations + i) };
      }),
    })),
    scoring: sampling,
    loss: {
      name: "clip",
      variant: plainVariant,
      numbers: defaultLossNumbers,
    },
  });
  await engine.optimStep({
    learningRate: 1e-6,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  });
  const ended = performance.now();
  const { user, system } = process.cpuUsage(before);
  const operations = weightOperations(model, prompts, numGenerations * maxCompletionLength);
  return {
    sample: (sampled - started) / 1000,
    train: (ended - sampled) / 1000,
    cpu: (user + system) / 1e6,
    operations,
  };
}

/** Operations of all weights' products, forward and both backward ones: 6 for each weight and token it meets. */
function weightOperations({ weights, vision, language }: Model, prompts: readonly Prompt[], completionTokens: number) {
  const size = (name: string) => {
    const { shape } = weights[name]!;
    return shape.length < 2 ? 0 : shape.reduce((a, b) => a * b, 1);
  };
  const blocks = (stack: Stack) =>
    stack.depth * stack.blockWeights.reduce((total, name) => total + size(stack.blockPrefix(0) + name), 0);
  const tokens = prompts.reduce((total, { tokenIds }) => total + tokenIds.length + completionTokens, 0);
  const grids = prompts.flatMap(({ images }) => images.map(({ grid }) => grid));
  const patches = grids.reduce((total, [t, h, w]) => total + t * h * w, 0);
  const head = language.vocabularySize * language.width * completionTokens * prompts.length;
  return 6 * (blocks(language) * tokens + blocks(vision) * patches + head);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

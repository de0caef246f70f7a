/** Times GRPO steps of a checkpoint on given rows: random rewards, full-length completions, nothing written. */

import { plainVariant } from "../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import { promptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import { peakMemoryGb } from "../core/peak-memory.ts";
import { normal, randomKey } from "../core/random.ts";
import type { Completion, Prompt } from "../core/records.ts";
import { type LargestStep, type MemoryPlan, type QuantizedKind, quantizedBits } from "../engine/backend.ts";
import { type LocalEngine, openLocalEngine } from "../engine/local/local-engine.ts";
import { modelOf, trainableOf } from "../engine/local/local-model.ts";
import { memorySpeed } from "../engine/local/machine-speed.ts";
import { matmulPeak } from "../engine/local/matmul-peak.ts";
import { planMemory } from "../engine/local/memory-plan.ts";
import type { OptimResult } from "../engine/optim-step.ts";
import { openProcessor } from "../models/index.ts";
import type { LoraOptions } from "../models/lora.ts";
import type { Model } from "../models/model.ts";
import { type Row, rowPrompt } from "../session/prompt-rows.ts";
import { type DecodingWork, decodingWork, trainingOperations } from "./model-work.ts";

export interface BenchOptions {
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
  readonly promptsPerStep: number;
  readonly steps: number;
  readonly lora: LoraOptions | null;
  readonly quantize: QuantizedKind | null;
  readonly activationMemoryGb: number;
  /** Maximum tokens of one forward and backward pass. */
  readonly microBatchTokens: number;
  readonly threads: number;
  readonly device: Device;
}

/** The output of `viva bench step`. */
export interface StepBench {
  readonly parameters: number;
  readonly step_seconds: readonly number[];
  /** Per step, in the order of `step_seconds`. */
  readonly sample_seconds: readonly number[];
  readonly train_seconds: readonly number[];
  /** Part of `sample_seconds` spent on tokens after each completion's first; the rest is images and prefill. */
  readonly decode_seconds: readonly number[];
  /** CPU time of a step over all threads, the figure least affected by other load. */
  readonly cpu_seconds: readonly number[];
  readonly max_rss_gb: number;
  /** Estimated from the model's configuration and the longest prompt. */
  readonly planned_gb: number;
  /** Completion tokens per second of sampling, median over the steps. */
  readonly tokens_per_second: number;
  /** The machine's best matmul before or after the steps (`matmulPeak`). */
  readonly matmul_peak_gflops: number;
  /**
   * Matmuls with weights in one forward and one backward pass, over the median training time, without recomputation.
   */
  readonly train_gflops: number;
  /** The language model's matmuls in decoding (`DecodingWork`), over its time, median over the steps. */
  readonly decode_gflops: number;
  /** Weights and caches that decoding reads (`DecodingWork`), over its time, median over the steps. */
  readonly decode_gb_per_second: number;
  /** Memory bandwidth of this machine, the best run after the steps (`memorySpeed`). */
  readonly memory_gb_per_second: number;
  /**
   * Roofline fraction of decoding: the time of the binding limit alone, memory reads at that bandwidth or compute at
   * the MatMul peak, over the decoding time, which includes sampling and JavaScript. With quantised weights memory is
   * the only limit, since the float32 peak does not bound int8 matmuls.
   */
  readonly decode_limit_fraction: number;
  /** Where a device keeps arrays; else null. */
  readonly device: DeviceBench | null;
}

/** Runs the steps; the first compiles the programs and is excluded from medians. */
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
  // Without stop tokens every completion has full length, so runs are comparable.
  const engine = await openLocalEngine(options, { decode: () => "", stopTokenIds: [], imageTokenId: -1 });
  try {
    const model = modelOf({ ...options, lora: null });
    const trained = trainableOf(modelOf(options), options);
    const peak = await matmulPeak(o.threads, o.device);
    const times: StepTimes[] = [];
    const work: StepWork[] = [];
    const prompts: Prompt[] = [];
    for (let step = 0; step < o.steps; step++) {
      const first = step * o.promptsPerStep;
      const chosen = Array.from({ length: o.promptsPerStep }, (_, i) => rows[(first + i) % rows.length]!);
      const encoded = await Promise.all(chosen.map(encode));
      prompts.push(...encoded);
      work.push({
        training: trainingOperations(model, trained, encoded, o),
        decoding: decodingWork(model, encoded, o),
      });
      times.push(await timeStep(engine, encoded, o, step));
    }
    // Measured before the memory benchmark, which allocates itself.
    const maxRssGb = peakMemoryGb();
    const limits: Limits = {
      gflops: Math.max(peak, await matmulPeak(o.threads, o.device)),
      gbPerSecond: (await memorySpeed(o.threads, o.device)).best,
    };
    const plan = planMemory(options, largestOf(model, prompts, o));
    return {
      parameters: engine.parameters,
      step_seconds: times.map(({ sample, train }) => sample + train),
      sample_seconds: times.map(({ sample }) => sample),
      train_seconds: times.map(({ train }) => train),
      decode_seconds: times.map(({ decode }) => decode),
      cpu_seconds: times.map(({ cpu }) => cpu),
      max_rss_gb: maxRssGb,
      planned_gb: plan.total / 1e9,
      ...speedsOf(times, work, limits, o),
      device: deviceOf(times, plan),
    };
  } finally {
    await engine.close();
  }
}

/** What the steps did on the device, each a list but for what crossed in the last one. */
export interface DeviceBench {
  readonly bytes_to: readonly number[];
  readonly bytes_from: readonly number[];
  /** Programs started. */
  readonly launches: readonly number[];
  /** Of the step's time that in which somebody waited for results. */
  readonly waited_fraction: readonly number[];
  /** Most bytes of arrays there at once; what programs need inside comes on top. */
  readonly peak_gb: number;
  /** Estimated of the device's memory, programs included. */
  readonly planned_gb: number;
  /** Bytes by the names of what crossed. */
  readonly to: Readonly<Record<string, number>>;
  readonly from: Readonly<Record<string, number>>;
}

function deviceOf(times: readonly StepTimes[], { device }: MemoryPlan): DeviceBench | null {
  const used = times.flatMap(({ device, sample, train }) =>
    device === null ? [] : [{ ...device, seconds: sample + train }],
  );
  const last = used.at(-1);
  if (last === undefined || device === null) return null;
  return {
    bytes_to: used.map(({ bytesTo }) => bytesTo),
    bytes_from: used.map(({ bytesFrom }) => bytesFrom),
    launches: used.map(({ launches }) => launches),
    waited_fraction: used.map(({ waitedSeconds, seconds }) => waitedSeconds / seconds),
    peak_gb: last.peakBytes / 1e9,
    planned_gb: device.total / 1e9,
    to: last.to,
    from: last.from,
  };
}

interface Limits {
  readonly gflops: number;
  readonly gbPerSecond: number;
}

/** Speeds of the steps and the machine; the first step is excluded if there are others. */
function speedsOf(times: readonly StepTimes[], work: readonly StepWork[], limits: Limits, o: BenchOptions) {
  const counted = times.map((_, i) => i).slice(times.length > 1 ? 1 : 0);
  const medianOf = (of: (time: StepTimes, work: StepWork) => number) =>
    median(counted.map((i) => of(times[i]!, work[i]!)));
  // Single-token completions leave nothing to decode.
  const perSecond = (amount: number, seconds: number) => (seconds > 0 ? amount / seconds : 0);
  const computed = medianOf(({ decode }, { decoding }) => perSecond(decoding.operations, decode)) / 1e9;
  const read = medianOf(({ decode }, { decoding }) => perSecond(decoding.bytes, decode)) / 1e9;
  const tokens = o.promptsPerStep * o.numGenerations * o.maxCompletionLength;
  return {
    tokens_per_second: tokens / medianOf(({ sample }) => sample),
    matmul_peak_gflops: limits.gflops,
    train_gflops: medianOf(({ train }, { training }) => training / train) / 1e9,
    decode_gflops: computed,
    decode_gb_per_second: read,
    memory_gb_per_second: limits.gbPerSecond,
    decode_limit_fraction: Math.max(read / limits.gbPerSecond, o.quantize === null ? computed / limits.gflops : 0),
  };
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
  readonly decode: number;
  readonly cpu: number;
  readonly device: NonNullable<OptimResult["device"]> | null;
}

interface StepWork {
  /** Operations. */
  readonly training: number;
  readonly decoding: DecodingWork;
}

async function timeStep(
  engine: LocalEngine,
  prompts: readonly Prompt[],
  { numGenerations, maxCompletionLength }: BenchOptions,
  step: number,
): Promise<StepTimes> {
  const started = performance.now();
  const before = process.cpuUsage();
  const distribution = { temperature: 1, topP: 1, topK: 0 };
  const sampling = { numGenerations, maxCompletionLength, ...distribution, seed: 0, step, trainsNext: true };
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
  const { device = null } = await engine.optimStep({
    learningRate: 1e-6,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  });
  const ended = performance.now();
  const { user, system } = process.cpuUsage(before);
  return {
    sample: (sampled - started) / 1000,
    train: (ended - sampled) / 1000,
    decode: engine.samplingSeconds!.tokens,
    cpu: (user + system) / 1e6,
    device,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

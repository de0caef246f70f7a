/**
 * Estimates a run's peak memory from the model's configuration and its largest step, without reading weights or
 * allocating.
 */

import { plainVariant } from "../../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../algorithms/index.ts";
import { programMemory } from "../../compiler/program-memory.ts";
import { withQuantizedWeights } from "../../compiler/rewrite.ts";
import type { Program, Sizes } from "../../compiler/tensor.ts";
import { sizeOf } from "../../core/tensor-data.ts";
import type { Model, Stack } from "../../models/model.ts";
import { programOn } from "../../runtime/create-session.ts";
import type { EngineOptions, LargestStep, MemoryPlan } from "../backend.ts";
import { adamWProgram } from "./arrays/device-programs.ts";
import { keepsArrays } from "./arrays/index.ts";
import { weightGroups } from "./arrays/weight-groups.ts";
import { generateProgram } from "./generate-program.ts";
import { headChunkRows } from "./head-chunks.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { modelOf, trainableOf } from "./local-model.ts";
import { mergedBytes } from "./merged-model.ts";
import { DEFAULT_ACTIVATION_BYTES } from "./model-pass.ts";
import { type PackedRow, packRows, splitRows } from "./packing.ts";
import { PREFIX_BYTES } from "./prefix-cache.ts";
import { type BlockKind, blockPrograms, lossProgram, visionHeadPrograms } from "./programs.ts";
import { MAX_PATCHES } from "./vision-runner.ts";
import { visionNames } from "./weight-store.ts";

/** The memory of a local engine, by purpose. */
export interface LocalMemoryPlan extends MemoryPlan {
  readonly parts: Readonly<Record<MemoryPart, number>>;
}

export type MemoryPart =
  | "node"
  | "weights"
  | "gradients"
  | "moments"
  | "reference"
  | "update masks"
  | "critic"
  | "activations"
  | "programs"
  | "key-value cache"
  | "kept turns"
  | "outputs";

/** Node, ONNX Runtime's libraries and compiled sessions, tokenizer and images of a small run; measured. */
const NODE_BYTES = 230e6;
/** Bytes that ONNX Runtime's arenas hold per live byte; measured. */
const ARENA_FACTOR = 1.4;
/** V8 collects arrays returned by programs after this many new bytes, or at the end of a step. */
const GARBAGE_BYTES = 64e6;

/** Plans a run with these options, whose steps are at most `step`. */
export function planMemory(o: EngineOptions, step: LargestStep): LocalMemoryPlan {
  const model = modelOf(o);
  const { device = "cpu" } = o;
  const memoryOf: MemoryOf = (program, sizes) => programMemory(programOn(device, program), sizes);
  const trainable = trainableOf(model, o);
  const trainedSizes = [...trainable].map((name) => 4 * sizeOf(model.weights[name]!.shape));
  const trainedBytes = sum(trainedSizes);
  const trainsVision = visionNames(model).some((name) => trainable.has(name));
  const budget = { bytes: o.activationBytes ?? DEFAULT_ACTIVATION_BYTES };
  const quantized = sum(Object.values(model.weights).map(quantizedBytes));

  const runs: number[] = [];
  const vision = stackMemory(model, model.vision, trainable, visionSizes(model, step), plainKind, {
    ...{ budget, backward: trainsVision, runs, memoryOf },
  });
  const micro = largestMicroBatch(step, o.microBatchTokens);
  const sizes = packedSizes(model, micro, step);
  const language = stackMemory(model, model.language, trainable, sizes, packedKind, {
    budget,
    backward: true,
    runs,
    memoryOf,
  });
  // Programs over a quantised base run in sessions that free memory after each run; other sessions keep their peak.
  const lean = (o.quantizeFrozen ?? null) !== null;
  const merged = mergedBytes(model);
  const sampled = modelOf({ ...o, quantizeFrozen: null, lora: merged > 0 ? null : (o.lora ?? null) });
  runs.push(lossMemory(model, trainable, memoryOf), generateMemory(sampled, step, { limit: o.rows, lean, memoryOf }));
  if (step.imageTokens > 0) {
    runs.push(memoryOf(visionHeadPrograms(model, []).forward, visionSizes(model, step)).peak);
  }
  const activations = vision.held + language.held;
  const gradients = vision.gradients + language.gradients;
  const parts: Parts = {
    node: NODE_BYTES,
    // The sampler holds a second copy: packed integer weights, or weights with their adapters merged.
    weights: sum(Object.values(model.weights).map(storedBytes)) + quantized + merged,
    gradients: trainedBytes,
    moments: 2 * trainedBytes,
    reference: step.reference ? trainedBytes : 0,
    // Where weights began, the sums of their gradients, and the shares of the weight at hand.
    "update masks": step.masked === true ? 2 * trainedBytes + Math.max(...trainedSizes) : 0,
    // Weights of critic and target, gradients and moments of the critic.
    critic: step.critic === true ? 5 * trainedBytes : 0,
    activations,
    programs: ARENA_FACTOR * (lean ? Math.max(...runs) : sum(runs)),
    "key-value cache": cacheBytes(model, step, o.rows),
    "kept turns": step.observed == null ? 0 : Math.min(o.prefixBytes ?? PREFIX_BYTES, turnBytes(model, step)),
    outputs: gradients + Math.min(GARBAGE_BYTES, activations + gradients),
  };
  if (!keepsArrays(device)) return { parts, total: sum(Object.values(parts)), device: null };
  runs.push(updateMemory(model, trainable));
  const { here, there } = splitByHome(parts, { quantized, merged, gradients, run: Math.max(...runs) });
  const onDevice = { parts: there, total: sum(Object.values(there)) };
  return { parts: here, total: sum(Object.values(here)), device: onDevice };
}

/** The memory of a program as it runs on the device that is planned for. */
type MemoryOf = typeof programMemory;

type Parts = Readonly<Record<MemoryPart, number>>;

/**
 * What lies here and what there, with arrays on a device. Here: what is read and what is saved, all at once. There: caches
 * twice, while they are made anew; integer weights once, for training and sampling; one program at a time, and nothing that
 * waits for V8.
 */
function splitByHome(
  parts: Parts,
  o: { readonly quantized: number; readonly merged: number; readonly gradients: number; readonly run: number },
): { readonly here: Parts; readonly there: Parts } {
  const none = Object.fromEntries(Object.keys(parts).map((part) => [part, 0])) as Parts;
  const { node, weights, moments, reference, critic, "update masks": masks, "key-value cache": caches } = parts;
  return {
    here: {
      ...{ ...none, node, moments, reference, critic },
      ...{ weights: weights - o.quantized - o.merged, "update masks": masks },
    },
    there: {
      ...{ ...parts, node: 0, "update masks": 0, "kept turns": 0, programs: o.run, outputs: o.gradients },
      ...{ weights: weights - o.quantized, "key-value cache": 2 * caches },
    },
  };
}

const plainKind: BlockKind = { packed: false, windowed: false, featured: false, adapters: null };
const packedKind: BlockKind = { ...plainKind, packed: true };

/** Memory held by a stack's passes; the memory of its running programs is added to `runs`. */
function stackMemory(
  model: Model,
  stack: Stack,
  trainable: ReadonlySet<string>,
  sizes: Sizes,
  kind: BlockKind,
  o: {
    readonly budget: { bytes: number };
    readonly backward: boolean;
    readonly runs: number[];
    readonly memoryOf: MemoryOf;
  },
): { readonly held: number; readonly gradients: number } {
  const flat = sizes["flat"]!;
  if (flat === 0) return { held: 0, gradients: 0 };
  const trained = stack.blockWeights.filter((name) => trainable.has(stack.blockPrefix(0) + name));
  const programs = blockPrograms(model, stack, kind, trained);
  const memory = (program: Program, known = sizes) => o.memoryOf(withQuantizedWeights(program), known);
  const state = 4 * flat * stack.width;
  if (!o.backward) {
    o.runs.push(memory(programs.forward).peak);
    return { held: 2 * state, gradients: 0 };
  }
  const saving = memory(programs.saving.forward);
  const { y, ...kept } = saving.outputs;
  const keptBytes = sum(Object.values(kept));
  let layers = 0;
  for (; layers < stack.depth && o.budget.bytes > 0 && o.budget.bytes >= (layers > 0 ? keptBytes : 0); layers++) {
    o.budget.bytes -= keptBytes;
  }
  if (layers > 0) o.runs.push(saving.peak, memory(programs.saving.backward, saving.sizes).peak);
  if (layers < stack.depth) o.runs.push(memory(programs.forward).peak, memory(programs.backward).peak);
  const gradients = sum(trained.map((name) => 4 * sizeOf(model.weights[stack.blockPrefix(0) + name]!.shape)));
  return { held: (stack.depth + 1) * state + layers * keptBytes, gradients: 2 * gradients };
}

/** Of the largest program of an update on a device, whose new weights and moments are beside the old ones. */
function updateMemory(model: Model, trainable: ReadonlySet<string>): number {
  const weights = [...trainable].map(
    (name) => ({ weight: { dtype: "float32", shape: model.weights[name]!.shape } }) as const,
  );
  const bytes = weightGroups(weights).map((group) => {
    const shapes = group.map(({ weight }) => weight.shape);
    const sizes = shapes.flatMap((shape, i) =>
      shape.map((size, axis) => [axis === 0 ? `n.${i}` : `d${axis}.${i}`, size]),
    );
    return programMemory(adamWProgram(shapes.map(({ length }) => length)), Object.fromEntries(sizes)).peak;
  });
  return Math.max(0, ...bytes);
}

/** The rows of the micro-batch with the most tokens. */
function largestMicroBatch(step: LargestStep, budget: number): readonly PackedRow[] {
  const completion = { tokenIds: new Int32Array(step.completionTokens), weight: 0, advantage: 0 };
  const prompt = { text: "", tokenIds: new Int32Array(step.promptTokens), images: [] };
  const group = { prompt, completions: new Array(step.numGenerations).fill(completion) };
  const batches = splitRows(packRows(new Array(step.prompts).fill(group), budget), budget);
  const tokens = (rows: readonly PackedRow[]) => sum(rows.map(({ length }) => length));
  return batches.reduce((a, b) => (tokens(b) > tokens(a) ? b : a));
}

function packedSizes(model: Model, rows: readonly PackedRow[], step: LargestStep): Sizes {
  const group = Math.max(...rows.map(({ completions }) => completions.length));
  const completion = Math.max(1, step.completionTokens - 1);
  const imageTokens = step.imageTokens + group * (step.observed?.imageTokens ?? 0);
  return {
    flat: sum(rows.map(({ length }) => length)),
    packedRows: rows.length,
    prompt: step.promptTokens,
    promptPlaces: rows.length * step.promptTokens,
    completion,
    completionPlaces: rows.length * group * completion,
    group,
    featureRows: Math.max(1, rows.length * imageTokens * model.language.featureLevels),
  };
}

/** Assumes one frame per image; images share a run up to the maximum patches. What tools show is as large as a prompt's. */
function visionSizes({ vision }: Model, { imageTokens, prompts, numGenerations, observed }: LargestStep): Sizes {
  const tokens = imageTokens * vision.patchesPerToken;
  const images = prompts * (1 + numGenerations * (observed?.images ?? 0));
  const rows = tokens === 0 ? 0 : Math.min(images, Math.max(1, Math.floor(MAX_PATCHES / tokens)));
  return { flat: rows * tokens, rows, tokens, features: rows * imageTokens };
}

function lossMemory(model: Model, trainable: ReadonlySet<string>, memoryOf: MemoryOf): number {
  const trained = model.language.headWeights.filter((name) => trainable.has(name));
  const sampling = { greedy: false, topK: 0, topP: false };
  const program = lossProgram(model, sampling, "clip", plainVariant, trained);
  const scalars = Object.keys(defaultLossNumbers).length; // their bytes do not count
  return memoryOf(withQuantizedWeights(program), { chunk: headChunkRows(model) }).peak + 4 * scalars;
}

/** Prefill of a prompt and a decode step for every row: a program each, or a shared one over a quantised base. */
function generateMemory(
  model: Model,
  step: LargestStep,
  { limit, lean, memoryOf }: { readonly limit: number; readonly lean: boolean; readonly memoryOf: MemoryOf },
): number {
  const sampling = { greedy: false, topK: 0, topP: false };
  const heads = model.language.keyValueHeads;
  const sizesOf = (
    o: Record<"groups" | "rows" | "tokens" | "prompt" | "past" | "samples" | "featureRows", number>,
  ): Sizes => ({
    ...o,
    flat: o.rows * o.tokens,
    rowHeads: o.rows * heads,
    groupHeads: o.groups * heads,
    places: o.groups * Math.ceil(o.rows / o.groups) * heads,
    visible: o.prompt + o.past + o.tokens,
  });
  const rows = Math.min(limit, step.prompts * step.numGenerations);
  const groups = Math.min(step.prompts, rows);
  const past = Math.max(1, step.completionTokens - 1);
  const featureRows = Math.max(1, step.imageTokens * model.language.featureLevels);
  const decoding = sizesOf({ groups, rows, tokens: 1, prompt: step.promptTokens, past, samples: rows, featureRows: 1 });
  const prefill = { groups: 1, rows: 1, tokens: step.promptTokens, prompt: 1, past: 1, samples: step.numGenerations };
  const peaks = [
    memoryOf(generateProgram(model, sampling, lean ? "tokens" : 1, ["entropy"]), decoding).peak,
    memoryOf(generateProgram(model, sampling, "tokens", ["entropy"]), sizesOf({ ...prefill, featureRows })).peak,
  ];
  return lean ? Math.max(...peaks) : sum(peaks);
}

/** KV cache: each prompt once, rows at full length. */
function cacheBytes({ language }: Model, step: LargestStep, limit: number): number {
  const rows = Math.min(limit, step.prompts * step.numGenerations);
  const positions = Math.min(step.prompts, rows) * step.promptTokens + rows * step.completionTokens;
  return 8 * positions * language.depth * language.keyValueHeads * language.headDim;
}

/** Keys and values of all completions, each kept with its prompt. */
function turnBytes(
  { language }: Model,
  { prompts, numGenerations, promptTokens, completionTokens }: LargestStep,
): number {
  return prompts * numGenerations * KeyValueCache.slotBytes(language, promptTokens + completionTokens);
}

/** Bytes of a weight as stored. */
export function storedBytes(weight: Model["weights"][string]): number {
  return weight.quantized === undefined ? 4 * sizeOf(weight.shape) : quantizedBytes(weight);
}

/** Quantised elements, plus a float32 scale for every 32 of them. */
function quantizedBytes({ shape, quantized }: Model["weights"][string]): number {
  return quantized === undefined ? 0 : sizeOf(shape) * (quantized / 8 + 4 / 32);
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

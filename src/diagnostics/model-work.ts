/**
 * Lower bounds on a step's operations and memory reads, from the model's shapes, to compare with measured times. Only
 * matmuls count, in training only those with weights; norms, adapters and training's attention come on top.
 */
import type { Prompt } from "../core/records.ts";
import { storedBytes } from "../engine/local/memory-plan.ts";
import type { Model, Stack } from "../models/model.ts";

/** Completions of each prompt, all at full length. */
export interface Completions {
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
}

/**
 * Operations of forward and backward pass, without recomputation. For each weight and token: 2 in the forward pass, 2
 * for the gradient of the input, and 2 for the weight's own gradient if it is trained. `trained` are names of the model
 * with adapters. A frozen vision tower does not count: its features are reused from sampling.
 */
export function trainingOperations(
  model: Model,
  trained: ReadonlySet<string>,
  prompts: readonly Prompt[],
  { numGenerations, maxCompletionLength }: Completions,
): number {
  const { vision, language } = model;
  const completionTokens = numGenerations * maxCompletionLength;
  const operations = (name: string) => (trained.has(name) ? 6 : 4) * matrixSize(model, name);
  const tokens = sum(prompts.map(({ tokenIds }) => tokenIds.length + completionTokens));
  const grids = prompts.flatMap(({ images }) => images.map(({ grid: [t, h, w] }) => t * h * w));
  const inTower = [...trained].some((name) => name.startsWith(vision.blockPrefix(0)));
  return (
    sum(blockNames(language).map(operations)) * tokens +
    (inTower ? sum(blockNames(vision).map(operations)) * sum(grids) : 0) +
    sum(language.headWeights.map(operations)) * completionTokens * prompts.length
  );
}

export interface DecodingWork {
  /** 2 for each weight of the language model and token, and 4 for each element of a query and token it attends to. */
  readonly operations: number;
  /**
   * Memory reads: for each decode step of all rows, the language model's blocks and head once, the KV caches of all
   * prompts once each, and those of every row.
   */
  readonly bytes: number;
}

/** Decoding of all rows together: the tokens after each row's first, which comes from prefill. */
export function decodingWork(model: Model, prompts: readonly Prompt[], completions: Completions): DecodingWork {
  const { language, weights } = model;
  const { numGenerations, maxCompletionLength } = completions;
  const rows = prompts.length * numGenerations;
  const steps = maxCompletionLength - 1;
  const promptTokens = sum(prompts.map(({ tokenIds }) => tokenIds.length));
  const names = [...blockNames(language), ...language.headWeights];
  const weightBytes = sum(names.map((name) => storedBytes(weights[name]!)));
  const earlier = (rows * steps * (steps - 1)) / 2; // own tokens in the rows' caches, summed over all steps
  const seen = numGenerations * steps * promptTokens + earlier + rows * steps;
  const queryElements = language.depth * language.heads * language.headDim;
  return {
    operations: 2 * sum(names.map((name) => matrixSize(model, name))) * rows * steps + 4 * queryElements * seen,
    bytes: weightBytes * steps + positionBytes(language) * (steps * promptTokens + earlier),
  };
}

function positionBytes({ depth, keyValueHeads, headDim }: Stack): number {
  return 2 * Float32Array.BYTES_PER_ELEMENT * depth * keyValueHeads * headDim;
}

function blockNames(stack: Stack): readonly string[] {
  return Array.from({ length: stack.depth }, (_, i) =>
    stack.blockWeights.map((name) => stack.blockPrefix(i) + name),
  ).flat();
}

/** Elements of a matrix; 0 for biases and norms, which take no matmul. */
function matrixSize({ weights }: Model, name: string): number {
  const { shape } = weights[name]!;
  return shape.length < 2 ? 0 : shape.reduce((a, b) => a * b, 1);
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

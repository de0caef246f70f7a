/** What heads over tokens share: their chunks, so that the table of tokens x vocabulary never exists, and what each is fed. */
import type { TokenColumn } from "../../algorithms/algorithm.ts";
import type { Params } from "../../compiler/tensor.ts";
import { float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { EXCLUDED, type SamplingVariant } from "../../nn/sampling.ts";
import type { LogProbOptions } from "../engine.ts";
import { atToken } from "../token-values.ts";
import type { Arrays } from "./arrays/arrays.ts";
import type { Compute } from "./compute.ts";
import type { MicroBatch, TargetToken } from "./packing.ts";

/**
 * Maximum elements of [rows, vocabulary], unless that is fewer than 128 rows: the head's weight is read once per chunk.
 */
const MAX_LOGITS = 1 << 22;
const MIN_HEAD_ROWS = 128;

/** Positions per chunk of the language-model head. */
export function headChunkRows({ language }: Model): number {
  return Math.max(MIN_HEAD_ROWS, Math.floor(MAX_LOGITS / language.vocabularySize));
}

export function* headChunks({ predictions }: MicroBatch, model: Model): Generator<readonly TargetToken[]> {
  const rows = headChunkRows(model);
  for (let i = 0; i < predictions.length; i += rows) yield predictions.slice(i, i + rows);
}

/** The hidden states `x` that predict these tokens, which the caller releases, and the tokens. */
export function headFeeds(arrays: Arrays, rows: readonly TargetToken[], hidden: TensorData): Params<TensorData> {
  const x = arrays.rows(
    hidden,
    Int32Array.from(rows, ({ source }) => source),
  );
  const targets = Int32Array.from(rows, ({ completion, offset }) => completion.tokenIds[offset]!);
  return { x, targets: int32([rows.length], targets) };
}

export function lossFeeds(
  rows: readonly TargetToken[],
  logRatios: ReadonlyMap<number, number> | null,
): Record<TokenColumn | "weight" | "entropyWeight", TensorData> {
  const column = (value: (row: TargetToken) => number) => float32([rows.length], Float32Array.from(rows, value));
  return {
    weight: column(({ completion, offset }) => atToken(completion.weight, offset)),
    entropyWeight: column(({ completion, offset }) => atToken(completion.entropyWeight ?? 0, offset)),
    advantage: column(({ completion, offset }) => atToken(completion.advantage, offset)),
    oldLogProb: column(({ completion, offset }) => completion.oldLogProbs?.[offset] ?? 0),
    refLogProb: column(({ completion, offset }) => completion.refLogProbs?.[offset] ?? 0),
    sequenceLogRatio: column(({ completion }) => logRatios?.get(completion.index) ?? 0),
  };
}

/** Temperature and top-p, and the mask of never-sampled tokens, for any program that samples or scores. */
export function samplingFeeds(compute: Compute, o: LogProbOptions): Params<TensorData> {
  return {
    temperature: float32([], [o.temperature]),
    topP: float32([], [o.topP]),
    banned: bannedTokens(compute, o.allowVisionTokens),
  };
}

/** [vocabulary]: added to the logits so that image placeholders are never sampled, unless they are allowed. */
export function bannedTokens(compute: Compute, allowVisionTokens = false): TensorData {
  const { language, visionTokenIds } = compute.model;
  return compute.table(`banned.${allowVisionTokens}`, () => {
    const banned = new Float32Array(language.vocabularySize);
    if (!allowVisionTokens) for (const id of visionTokenIds) banned[id] = EXCLUDED;
    return float32([banned.length], banned);
  });
}

export function variantOf(o: LogProbOptions): SamplingVariant {
  const greedy = o.temperature === 0;
  return { greedy, topK: greedy ? 0 : o.topK, topP: !greedy && o.topP < 1 };
}

/** Which outputs of a head's program stay where the arrays lie. */
export const isGradient = (output: string) => output.startsWith("d.");

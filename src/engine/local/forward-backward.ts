/** Scores completions and differentiates their loss, one micro-batch at a time; the split does not change results. */

import type { TokenLossVariant } from "../../algorithms/algorithm.ts";
import { sequenceLogRatio } from "../../algorithms/gspo.ts";
import type { Params } from "../../compiler/tensor.ts";
import type { TokenStat } from "../../core/records.ts";
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { ForwardBackwardResult, LogProbOptions, TokenBatch, TokenScores, TrainingGroup } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { headChunks, headFeeds, isGradient, lossFeeds, samplingFeeds, variantOf } from "./head-chunks.ts";
import {
  backwardFrom,
  type HeadPass,
  isComputed,
  type MicroBatchOptions,
  microBatches,
  runMicroBatch,
} from "./model-pass.ts";
import { imagesOf, type MicroBatch, splitByWeight, type TargetToken } from "./packing.ts";
import { lossProgram, scoreProgram } from "./programs.ts";
import { encodeImages } from "./vision-runner.ts";
import type { WeightStore } from "./weight-store.ts";

/** Log-probs and entropies of every completion token under `values`. */
export async function scoreCompletions(
  compute: Compute,
  values: Params<TensorData>,
  groups: readonly TrainingGroup[],
  scoring: LogProbOptions,
  o: MicroBatchOptions,
): Promise<TokenScores> {
  const result = emptyScores(groups, scoring.tokenStats);
  const adapters = o.adapters ?? null;
  const images = imagesOf(groups.filter(isComputed));
  const encoded = await encodeImages(compute, values, images, { cache: o.features ?? null, adapters });
  for (const micro of microBatches(compute.model, groups, o)) {
    const hidden = await runMicroBatch(compute, values, micro, encoded, adapters);
    await scoreRows(compute, values, micro, hidden, scoring, result);
    compute.arrays.release([hidden]);
  }
  return result;
}

/** Computes log-probs and entropies of a micro-batch's tokens from the final hidden states, into `result`. */
async function scoreRows(
  compute: Compute,
  values: Params<TensorData>,
  micro: MicroBatch,
  hidden: TensorData,
  scoring: LogProbOptions,
  result: TokenScores,
): Promise<void> {
  const variant = variantOf(scoring);
  const stats = statsOf(result);
  const key = `score.${JSON.stringify([variant, stats])}`;
  const session = await compute.session(key, () => scoreProgram(compute.model, variant, stats));
  for (const rows of headChunks(micro, compute.model)) {
    const head = headFeeds(compute.arrays, rows, hidden);
    record(rows, await session.run({ ...head, ...samplingFeeds(compute, scoring), ...values }), result);
    compute.arrays.release([head["x"]]);
  }
}

/** Accumulates the gradient of the batch's loss in the store. */
export async function forwardBackward(
  compute: Compute,
  store: WeightStore,
  batch: TokenBatch,
  o: MicroBatchOptions,
): Promise<ForwardBackwardResult> {
  const { model } = compute;
  const { loss, scoring } = batch;
  const result = emptyScores(batch.groups.filter(isComputed));
  const variant = variantOf(scoring);
  const trainedHead = model.language.headWeights.filter((name) => store.trainable.has(name));
  const key = `loss.${loss.name}.${JSON.stringify([variant, loss.variant, trainedHead])}`;
  const session = await compute.session(
    key,
    () => lossProgram(model, variant, loss.name, loss.variant, trainedHead),
    isGradient,
  );
  const scalars = Object.fromEntries(
    Object.entries(loss.numbers).map(([name, value]) => [name, float32([], [Math.min(value, 3e38)])]),
  );
  let total = 0;
  const run: HeadPass["run"] = async (micro, hidden, dHidden) => {
    const whole = readsWholeCompletions(loss.variant);
    if (whole) await scoreRows(compute, store.values, micro, hidden, scoring, result);
    const logRatios = whole ? sequenceLogRatios(micro, result) : null;
    const { trained, scored } = splitByWeight(micro);
    if (scored.predictions.length > 0 && !whole)
      await scoreRows(compute, store.values, scored, hidden, scoring, result);
    for (const rows of headChunks(trained, model)) {
      const head = headFeeds(compute.arrays, rows, hidden);
      const feeds = {
        ...head,
        ...lossFeeds(rows, logRatios),
        ...samplingFeeds(compute, scoring),
        ...scalars,
        ...store.values,
      };
      const outputs = await session.run(feeds);
      total += outputs["loss"]!.data[0]!;
      record(rows, outputs, result);
      store.accumulate(Object.fromEntries(trainedHead.map((name) => [name, outputs[`d.${name}`]!])));
      const sources = Int32Array.from(rows, ({ source }) => source);
      compute.arrays.addRows(dHidden, sources, outputs["d.x"]!);
      compute.arrays.release([head["x"], outputs["d.x"]]);
    }
  };
  await backwardFrom(compute, store, batch.groups, o, { weights: model.language.headWeights, run });
  return { ...result, loss: total, dropout: o.adapters?.mode === "masks" };
}

/** The loss needs log-probs of whole completions in advance, since head chunks can split a completion. */
function readsWholeCompletions({ onPolicy, level }: TokenLossVariant): boolean {
  return !onPolicy && level === "sequence";
}

/** Sequence log-ratios by index of the micro-batch's completions, from scores computed in advance. */
function sequenceLogRatios({ predictions }: MicroBatch, { logProbs }: TokenScores): ReadonlyMap<number, number> {
  const completions = new Set(predictions.map(({ completion }) => completion));
  return new Map(
    [...completions].map(({ index, oldLogProbs, mask }) => {
      return [index, sequenceLogRatio(logProbs[index]!, oldLogProbs!, mask)];
    }),
  );
}

function emptyScores(groups: readonly TrainingGroup[], stats: readonly TokenStat[] = []): TokenScores {
  const zeros = () =>
    groups.flatMap(({ completions, inPlace }) =>
      [...(inPlace === undefined ? [] : [inPlace]), ...completions].map(
        ({ tokenIds }) => new Float32Array(tokenIds.length),
      ),
    );
  const told = stats.length === 0 ? {} : { stats: Object.fromEntries(stats.map((name) => [name, zeros()])) };
  return { logProbs: zeros(), entropies: zeros(), ...told };
}

function statsOf({ stats = {} }: TokenScores): readonly TokenStat[] {
  return Object.keys(stats) as TokenStat[];
}

function record(rows: readonly TargetToken[], outputs: Params<TensorData>, result: TokenScores): void {
  for (const [i, { completion, offset }] of rows.entries()) {
    result.logProbs[completion.index]![offset] = outputs["logProb"]!.data[i]!;
    result.entropies[completion.index]![offset] = outputs["entropy"]!.data[i]!;
    for (const name of statsOf(result)) {
      result.stats![name]![completion.index]![offset] = outputs[`stat.${name}`]!.data[i]!;
    }
  }
}

/** Scores of completions by a model's score head, read at the last token, and the gradient of a loss of these scores. */
import type { Params } from "../../compiler/tensor.ts";
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { ScoredCompletions, TrainingGroup } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { isGradient } from "./head-chunks.ts";
import { backwardFrom, type HeadPass, type MicroBatchOptions, microBatches, runMicroBatch } from "./model-pass.ts";
import type { MicroBatch } from "./packing.ts";
import { imagesOf } from "./packing.ts";
import { headScoreGradientProgram, headScoreProgram, scoreHeadWeights } from "./programs.ts";
import { encodeImages } from "./vision-runner.ts";
import type { WeightStore } from "./weight-store.ts";

/** Positions per run of the head: its result is one number each. */
const CHUNK = 4096;

/** One score per completion, group by group. */
export async function scoreByHead(
  compute: Compute,
  values: Params<TensorData>,
  completions: readonly ScoredCompletions[],
  o: MicroBatchOptions,
): Promise<readonly number[]> {
  const groups = withNextToken(completions);
  const scores: number[] = [];
  const adapters = o.adapters ?? null;
  const encoded = await encodeImages(compute, values, imagesOf(groups), { cache: o.features ?? null, adapters });
  const session = await compute.session("head_score", () => headScoreProgram(compute.model));
  for (const micro of microBatches(compute.model, groups, o)) {
    const hidden = await runMicroBatch(compute, values, micro, encoded, adapters);
    for (const rows of lastTokens(micro)) {
      const x = statesOf(compute, rows, hidden);
      const found = (await session.run({ x, ...values }))["scores"]!.data;
      for (const [i, { index }] of rows.entries()) scores[index] = found[i]!;
      compute.arrays.release([x]);
    }
    compute.arrays.release([hidden]);
  }
  return scores;
}

/** Accumulates the gradient of Σ gradients[i] x score i in the store. */
export async function backwardByHead(
  compute: Compute,
  store: WeightStore,
  completions: readonly ScoredCompletions[],
  gradients: readonly number[],
  o: MicroBatchOptions,
): Promise<void> {
  const { model } = compute;
  const weights = scoreHeadWeights(model);
  const trained = weights.filter((name) => store.trainable.has(name));
  const program = () => headScoreGradientProgram(model, trained);
  const session = await compute.session(`head_score.backward.${trained.join()}`, program, isGradient);
  const run: HeadPass["run"] = async (micro, hidden, dHidden) => {
    for (const rows of lastTokens(micro)) {
      const dScores = Float32Array.from(rows, ({ index }) => gradients[index]!);
      const x = statesOf(compute, rows, hidden);
      const outputs = await session.run({ x, "d.scores": float32([rows.length], dScores), ...store.values });
      store.accumulate(Object.fromEntries(trained.map((name) => [name, outputs[`d.${name}`]!])));
      const sources = Int32Array.from(rows, ({ source }) => source);
      compute.arrays.addRows(dHidden, sources, outputs["d.x"]!);
      compute.arrays.release([x, outputs["d.x"]]);
    }
  };
  await backwardFrom(compute, store, withNextToken(completions), o, { weights, run });
}

/** With a token behind each completion that nothing reads, so that the last one is computed and not only predicted. */
function withNextToken(groups: readonly ScoredCompletions[]): readonly TrainingGroup[] {
  return groups.map(({ prompt, completions }) => ({
    prompt,
    completions: completions.map((tokenIds) => {
      return { tokenIds: Int32Array.from([...tokenIds, 0]), weight: 1, advantage: 0 };
    }),
  }));
}

interface LastToken {
  /** Of the completion, in the batch's flat order. */
  readonly index: number;
  /** Flat token whose state is read. */
  readonly source: number;
}

/** What would predict the token behind each completion: the completion's last. */
function* lastTokens({ predictions }: MicroBatch): Generator<readonly LastToken[]> {
  const last = predictions.filter(({ completion, offset }) => offset === completion.tokenIds.length - 1);
  const rows = last.map(({ completion, source }) => ({ index: completion.index, source }));
  for (let i = 0; i < rows.length; i += CHUNK) yield rows.slice(i, i + CHUNK);
}

function statesOf({ arrays }: Compute, rows: readonly LastToken[], hidden: TensorData): TensorData {
  return arrays.rows(
    hidden,
    Int32Array.from(rows, ({ source }) => source),
  );
}

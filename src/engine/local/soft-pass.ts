/** A forward and backward pass under a head over pairs of hidden states, in chunks as any head's. */
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { LogProbOptions, SoftResult, TrainingGroup } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { headChunks, headFeeds, isGradient, lossFeeds, samplingFeeds } from "./head-chunks.ts";
import { backwardFrom, type HeadPass, isComputed, type MicroBatchOptions, runMicroBatch } from "./model-pass.ts";
import { imagesOf, type MicroBatch, splitByWeight } from "./packing.ts";
import type { SharedBase } from "./shared-base.ts";
import type { PairHead } from "./soft-programs.ts";
import { encodeImages } from "./vision-runner.ts";
import type { WeightStore } from "./weight-store.ts";

/** The weights of one of a pair, and their known image features. */
type Weights = Pick<SharedBase, "compute" | "values"> & { readonly features: MicroBatchOptions["features"] };

/** Accumulates the gradient of the head's loss in the store; tokens of weight 0 are not looked at, and all their results 0. */
export async function softPass(
  compute: Compute,
  store: WeightStore,
  { groups, scoring }: { readonly groups: readonly TrainingGroup[]; readonly scoring: LogProbOptions },
  o: MicroBatchOptions,
  head: PairHead,
): Promise<SoftResult> {
  const { model } = compute;
  const { arrays } = compute;
  const session = await compute.session(head.key, () => head.program(), isGradient);
  const numbers = Object.fromEntries(Object.entries(head.numbers).map(([name, value]) => [name, float32([], [value])]));
  const zeros = () =>
    groups.flatMap(({ completions }) => completions.map(({ tokenIds }) => new Float32Array(tokenIds.length)));
  const results = { logProb: zeros(), entropy: zeros(), value: zeros() };
  let loss = 0;
  const run: HeadPass["run"] = async (micro, hidden, dHidden) => {
    const beside = Object.entries(await head.hidden(micro));
    for (const rows of headChunks(splitByWeight(micro).trained, model)) {
      const own = headFeeds(arrays, rows, hidden);
      const others = Object.fromEntries(beside.map(([name, states]) => [name, headFeeds(arrays, rows, states)["x"]!]));
      const outputs = await session.run({
        ...own,
        ...others,
        ...lossFeeds(rows, null),
        ...samplingFeeds(compute, scoring),
        ...numbers,
        ...store.values,
      });
      loss += outputs["loss"]!.data[0]!;
      for (const [name, into] of Object.entries(results)) {
        const found = outputs[name]?.data;
        if (found === undefined) continue;
        for (const [i, { completion, offset }] of rows.entries()) into[completion.index]![offset] = found[i]!;
      }
      const sources = Int32Array.from(rows, ({ source }) => source);
      arrays.addRows(dHidden, sources, outputs["d.x"]!);
      arrays.release([own["x"], ...Object.values(others), outputs["d.x"]]);
    }
    arrays.release(beside.map(([, states]) => states));
  };
  await backwardFrom(compute, store, groups, o, { weights: model.language.headWeights, run });
  return { loss, logProbs: results.logProb, entropies: results.entropy, values: results.value };
}

/** The last hidden states of micro-batches of these groups under some weights. */
export async function lastStates(
  { compute, values, features = null }: Weights,
  groups: readonly TrainingGroup[],
): Promise<(micro: MicroBatch) => Promise<TensorData>> {
  const images = imagesOf(groups.filter(isComputed));
  const encoded = await encodeImages(compute, values, images, { cache: features });
  return (micro) => runMicroBatch(compute, values, micro, encoded, null);
}

/** What a head gives of each token, gathered by completion, whatever order chunks come in. */
import type { Params } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { TrainingGroup } from "../engine.ts";
import type { TargetToken } from "./packing.ts";

/** Per completion, predictions in place first; `values` where the head has them. */
export interface TokenResults {
  readonly logProbs: readonly Float32Array[];
  readonly entropies: readonly Float32Array[];
  readonly values?: readonly Float32Array[];
}

export function emptyResults(groups: readonly TrainingGroup[], hasValues = false): TokenResults {
  const zeros = () =>
    groups.flatMap(({ completions, inPlace }) =>
      [...(inPlace === undefined ? [] : [inPlace]), ...completions].map(
        ({ tokenIds }) => new Float32Array(tokenIds.length),
      ),
    );
  return { logProbs: zeros(), entropies: zeros(), ...(hasValues ? { values: zeros() } : {}) };
}

const OUTPUTS = [
  ["logProbs", "logProb"],
  ["entropies", "entropy"],
  ["values", "value"],
] as const;

/** Puts a chunk's outputs in their places. */
export function record(rows: readonly TargetToken[], outputs: Params<TensorData>, result: TokenResults): void {
  for (const [kind, name] of OUTPUTS) {
    const [into, found] = [result[kind], outputs[name]];
    if (into === undefined || found === undefined) continue;
    for (const [i, { completion, offset }] of rows.entries()) into[completion.index]![offset] = found.data[i]!;
  }
}

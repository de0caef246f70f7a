/** A batch whose loss is the weighted sum of its tokens' negative log-probs under the model's own softmax. */
import { plainVariant } from "../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import { plainScoring, type TokenBatch, type TrainingGroup } from "../engine/engine.ts";

export function likelihoodBatch(groups: readonly TrainingGroup[]): TokenBatch {
  const loss = { name: "supervised", variant: plainVariant, numbers: defaultLossNumbers } as const;
  return { groups, scoring: plainScoring, loss };
}

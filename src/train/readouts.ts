/** How a pairwise loss gets one number per row from the engine, and sends a gradient of these numbers back. */
import { plainVariant } from "../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import type { Readout } from "../algorithms/pairwise/index.ts";
import {
  plainScoring,
  type ScoredCompletions,
  type TokenScores,
  type TrainingEngine,
  type TrainingGroup,
} from "../engine/engine.ts";
import type { Metrics } from "../runs/metrics.ts";
import { meanEntropy } from "./policy-metrics.ts";

/** Groups whose completions carry no loss yet. */
export type UnweightedGroups = readonly ScoredCompletions[];

interface ReadoutPass {
  /** One number per completion, group by group. */
  scores(engine: TrainingEngine, groups: UnweightedGroups, beta: number): Promise<readonly number[]>;
  /** Accumulates the gradient of a loss whose derivative by each number is given; what the pass tells beside. */
  backward(
    engine: TrainingEngine,
    groups: UnweightedGroups,
    gradients: readonly number[],
    beta: number,
  ): Promise<Metrics>;
}

export const readouts: Readonly<Record<Readout, ReadoutPass>> = {
  /**
   * beta·Σ(logp − ref). The loss is no sum over tokens, but its gradient is one: of −A·logp with A = ±1 and the weight
   * beta·|gradient|.
   */
  implicit_reward: {
    async scores(engine, groups, beta) {
      const unweighted = withLoss(groups, () => ({ weight: 0, advantage: 0 }));
      const policy = sums(await engine.policy.logProbs(unweighted, plainScoring));
      const reference = sums(await engine.reference!.logProbs(unweighted, plainScoring));
      return policy.map((own, i) => beta * (own - reference[i]!));
    },
    async backward(engine, groups, gradients, beta) {
      const { entropies } = await engine.forwardBackward({
        groups: withLoss(groups, (i) => ({
          weight: beta * Math.abs(gradients[i]!),
          advantage: gradients[i]! < 0 ? 1 : -1,
        })),
        scoring: plainScoring,
        loss: { name: "reinforce", variant: plainVariant, numbers: defaultLossNumbers },
      });
      const entropy = meanEntropy(entropies);
      return entropy === null ? {} : { "policy/entropy": entropy };
    },
  },
  score: {
    scores: (engine, groups) => engine.scoreHead!.scores(groups),
    async backward(engine, groups, gradients) {
      await engine.scoreHead!.backward(groups, gradients);
      return {};
    },
  },
};

function sums({ logProbs }: TokenScores): readonly number[] {
  return logProbs.map((values) => values.reduce((a, b) => a + b, 0));
}

/** The groups with a loss for each completion by its place among all. */
function withLoss(
  groups: UnweightedGroups,
  lossOf: (i: number) => { readonly weight: number; readonly advantage: number },
): readonly TrainingGroup[] {
  let next = 0;
  return groups.map(({ prompt, completions }) => ({
    prompt,
    completions: completions.map((tokenIds) => ({ tokenIds, ...lossOf(next++) })),
  }));
}

/** Nothing is computed for a zero: what of a batch has a gradient. */
import type { TrainingCompletion, TrainingGroup } from "../engine/engine.ts";
import { atToken } from "../engine/token-values.ts";

/**
 * The batch without completions whose gradient is zero: at every token there is no weight, or no advantage (every policy
 * loss is its multiple) and no KL term, and no entropy bonus. Prompts stay, be they left without completions.
 */
export function withoutZeroGradients(groups: readonly TrainingGroup[], beta: number): TrainingGroup[] {
  return groups.map(({ prompt, completions }) => {
    return { prompt, completions: completions.filter((completion) => hasGradient(completion, beta)) };
  });
}

function hasGradient({ tokenIds, weight, advantage, entropyWeight = 0 }: TrainingCompletion, beta: number): boolean {
  return tokenIds.some((_, t) => {
    const hasLoss = atToken(weight, t) !== 0 && (beta > 0 || atToken(advantage, t) !== 0);
    return hasLoss || atToken(entropyWeight, t) !== 0;
  });
}

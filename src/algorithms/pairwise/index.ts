/** Stage kinds that learn from pairs of completions: a new one is a file and a line here. */
import { dpo } from "./dpo.ts";
import { mdpo } from "./mdpo.ts";
import type { PairwiseAlgorithm } from "./pairwise.ts";
import { rcDpo, rcRewardModel } from "./rc.ts";
import { rewardModel } from "./reward-model.ts";

export { type BalancedPair, balanceWeights, pairBalances } from "./balance.ts";
export {
  type PairLoss,
  type PairwiseAlgorithm,
  pairLoss,
  type Readout,
  type Role,
  type RoleScores,
  roles,
} from "./pairwise.ts";

export const pairwiseAlgorithms = {
  dpo,
  mdpo,
  rc_dpo: rcDpo,
  reward_model: rewardModel,
  rc_reward_model: rcRewardModel,
} as const satisfies Readonly<Record<string, PairwiseAlgorithm>>;
export type PairwiseName = keyof typeof pairwiseAlgorithms;

/** The algorithm of a stage kind. */
export function pairwiseAlgorithm(kind: PairwiseName): PairwiseAlgorithm {
  return pairwiseAlgorithms[kind];
}

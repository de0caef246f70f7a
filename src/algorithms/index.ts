/** The algorithms by name, and what they are made of: a new algorithm is a set of defaults in a file, and a line here. */
import { cispo } from "./cispo.ts";
import { dapo } from "./dapo.ts";
import { drGrpo } from "./dr_grpo.ts";
import { grpo } from "./grpo.ts";
import { gspo } from "./gspo.ts";
import { gdpo } from "./multi_objective.ts";
import { opo } from "./opo.ts";
import { reinforce } from "./reinforce.ts";
import { rloo } from "./rloo.ts";
import { sapo } from "./sapo.ts";
import type { AlgorithmDefaults } from "./settings.ts";

export {
  balanceWeights,
  type PairwiseName,
  pairBalances,
  pairwiseAlgorithm,
  pairwiseAlgorithms,
  type Readout,
  type Role,
} from "./pairwise/index.ts";
export {
  type AdvantageName,
  advantageEstimators,
  advantageShapers,
  defaultLossNumbers,
  type PolicyLossName,
  policyLosses,
  type TokenLossName,
  type TokenLossNumbers,
  tokenLosses,
} from "./parts.ts";
export { type SelectedCompletions, selectCompletions } from "./selection.ts";
export { type AlgorithmDefaults, algorithmSettings, partProblems, withDefaults } from "./settings.ts";

/** Stage kinds that learn from their own completions. */
export const rolloutAlgorithms = {
  grpo,
  dr_grpo: drGrpo,
  dapo,
  gspo,
  cispo,
  sapo,
  rloo,
  opo,
  reinforce,
  gdpo,
} as const satisfies Readonly<Record<string, AlgorithmDefaults>>;
export type RolloutAlgorithmName = keyof typeof rolloutAlgorithms;

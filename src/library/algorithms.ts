/** viva-rl/algorithms: advantages, token weights and the named sets of defaults; plain functions over numbers. */
export { groupRelativeAdvantages, hasZeroSpread } from "../algorithms/advantages.ts";
export {
  type AdvantageEstimator,
  type AdvantageOptions,
  defaultLossNumbers,
  type GroupRewards,
  type LossType,
  plainVariant,
  type RewardScaling,
  type RolloutAlgorithm,
  type ScoredGroup,
} from "../algorithms/algorithm.ts";
export { advantageEstimators, rolloutAlgorithms, tokenLosses } from "../algorithms/index.ts";
export { type TokenWeightOptions, tokenWeights } from "../algorithms/token-weights.ts";

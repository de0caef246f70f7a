/** viva-rl/algorithms: advantages, token weights and the named sets of defaults, as plain functions over numbers. */
export { groupRelativeAdvantages, hasZeroSpread, type RewardScaling } from "../algorithms/advantages.ts";
export {
  type AdvantageEstimator,
  defineAdvantage,
  defineTokenLoss,
  type GroupRewards,
  plainVariant,
  type ScoredGroup,
  type TokenLossVariant,
} from "../algorithms/algorithm.ts";
export {
  advantageEstimators,
  defaultLossNumbers,
  rolloutAlgorithms,
  type TokenLossNumbers,
  tokenLosses,
} from "../algorithms/index.ts";
export { type LossType, type TokenWeightOptions, tokenWeights } from "../algorithms/token-weights.ts";
